import { closeSync, constants, openSync } from 'node:fs';
import type { SocketNeed } from '../core/collector.ts';
import { ExporterError, hasErrno, messageOf } from '../core/errors.ts';
import type { Logger } from '../core/log.ts';
import { threadPrivileges } from '../syscall/capability.ts';
import { refuseTracing } from '../syscall/identity.ts';
import { landlockVersion } from '../syscall/landlock.ts';
import { syscall } from '../syscall/libc.ts';
import { filterCalls, type Policy } from '../syscall/seccomp.ts';
import { listeningPolicy } from './calls.ts';
import type { SandboxWish } from './sandbox.ts';

/** The process cannot be made what it was asked to be, and must not serve as what it is. */
export class SealError extends ExporterError {
  override readonly name = 'SealError';
  readonly code = 'SEAL';
}

/** What confines the process that serves, as far as the kernel can be asked. */
export interface Confinement {
  /** The version of Landlock's interface whose rules hold for every thread; 0 where none do. */
  readonly landlock: number;
  /** Whether the filter of system calls holds for every thread. */
  readonly seccomp: boolean;
  /** Whether other processes of the same user may trace this one. */
  readonly traceable: boolean;
}

/** Everybody may list it, and no plan allows it. There is no call that says whether rules of Landlock hold. */
const LISTABLE = '/';

function isUnderLandlock(): boolean {
  try {
    closeSync(openSync(LISTABLE, constants.O_RDONLY | constants.O_DIRECTORY));
    return false;
  } catch (error) {
    return hasErrno(error, ['EACCES']);
  }
}

/** No process has this number (PID_MAX_LIMIT is 2^22): without the filter the kernel says ESRCH. */
const NO_PID = 2 ** 31 - 2;
/** SECCOMP_MODE_FILTER */
const FILTERED = 2;

function isFiltered(): boolean {
  try {
    syscall('kill', NO_PID, 0);
    return false;
  } catch (error) {
    // Where a thread's state is not known, the kernel took the filter for all threads or for none.
    return hasErrno(error, ['EPERM']) && threadPrivileges().every(({ seccomp = FILTERED }) => seccomp === FILTERED);
  }
}

/** Whether it could be done. A kernel that cannot, and a container that forbids it, do not keep the program from serving. */
function tried(otherwise: string, shut: () => void, log: Logger): boolean {
  try {
    shut();
    return true;
  } catch (error) {
    log.warn(otherwise, { err: messageOf(error) });
    return false;
  }
}

export const tryFilter = (policy: Policy, log: Logger): boolean =>
  tried('no filter of system calls', () => filterCalls(policy), log);

export interface ConfineOptions {
  readonly wish: SandboxWish;
  /** What the collectors open. */
  readonly sockets: readonly SocketNeed[];
  /** Whether an exec came after Landlock: otherwise it holds for some threads only. */
  readonly wasExecuted: boolean;
  readonly log: Logger;
}

/**
 * Shuts the rest, when everything is set up and listens. Throws a `SealError` where it must be shut and the kernel cannot.
 */
export function confine({ wish, sockets, wasExecuted, log }: ConfineOptions): Confinement {
  const landlock = wish !== 'off' && wasExecuted && isUnderLandlock() ? landlockVersion() : 0;
  const traceable = !tried('other processes of this user may trace this one', refuseTracing, log);
  const seccomp = wish !== 'off' && tryFilter(listeningPolicy(sockets), log) && isFiltered();
  if (wish === 'require' && landlock === 0) throw new SealError('--privilege.sandbox=require: no Landlock here');
  if (wish === 'require' && !seccomp)
    throw new SealError('--privilege.sandbox=require: no filter of system calls here');
  return { landlock, seccomp, traceable };
}
