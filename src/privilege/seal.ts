import { fstatSync } from 'node:fs';
import process from 'node:process';
import type { Acquired } from '../core/collector.ts';
import { optional } from '../core/errors.ts';
import {
  clearAmbient,
  dropBounding,
  fileCapability,
  getCapabilities,
  lockSecurebits,
  maskOf,
  raiseAmbient,
  setCapabilities,
  setNoNewPrivs,
} from '../syscall/capability.ts';
import { syscall } from '../syscall/libc.ts';
import { HANDOVER_VARIABLE, writeHandover } from './handover.ts';

const SETPCAP = maskOf(['setpcap']);
const F_GETFD = 1;
const F_SETFD = 2;
const FD_CLOEXEC = 1;
/** sd_listen_fds(3): the first of the sockets that systemd passes. */
const LISTEN_FDS_START = 3;
const LISTEN_FDS_MAX = 1024;

/**
 * Gives up every capability but `keep`, in every set, and the ways to get one back. Each way alone would do for an exec
 * under no_new_privs; an auditor sees all of them shut. What needs CAP_SETPCAP is left where that is not permitted.
 */
export function drop(keep: bigint): void {
  const { permitted } = getCapabilities();
  clearAmbient();
  if ((permitted & SETPCAP) !== 0n) {
    setCapabilities({ effective: SETPCAP, permitted, inheritable: 0n });
    // An executable with `=ep` does not start where the bounding set lacks what the file promises.
    if (fileCapability()?.effective !== true) dropBounding(keep);
    if (keep === 0n) lockSecurebits();
  }
  setCapabilities({ effective: 0n, permitted: keep, inheritable: keep });
  // Of an executable without file capabilities only what is ambient survives the exec.
  optional(() => raiseAmbient(keep), ['EPERM', 'EINVAL']);
  setNoNewPrivs();
}

/** Node closes at an exec whatever it was started with. */
export function keepOpen(fd: number): void {
  syscall('fcntl', fd, F_SETFD, syscall('fcntl', fd, F_GETFD) & ~FD_CLOEXEC);
}

/** A count that is too high must neither keep the seal from being done nor let descriptors of the runtime through. */
const isSocket = (fd: number): boolean => optional(() => fstatSync(fd), ['EBADF'])?.isSocket() === true;

/** The descriptors of systemd's socket activation, if they are for this process. */
export function activationFds(env: NodeJS.ProcessEnv): number[] {
  const { LISTEN_PID: pid, LISTEN_FDS: count } = env;
  if (pid !== String(process.pid) || count === undefined || !/^[0-9]{1,4}$/.test(count)) return [];
  return Array.from({ length: Math.min(Number(count), LISTEN_FDS_MAX) }, (_, i) => LISTEN_FDS_START + i);
}

/**
 * The command line as it was, or with other arguments, for Node with a script and for the single executable, whose options are
 * inside it.
 */
export function ownArguments(rest: readonly string[] = process.argv.slice(2)): string[] {
  const { argv, argv0, execArgv } = process;
  const isSingle = process.getBuiltinModule('node:sea')?.isSea() === true;
  return isSingle ? [argv0, ...rest] : [argv0, ...execArgv, ...argv.slice(1, 2), ...rest];
}

export interface SealOptions {
  readonly acquired: ReadonlyMap<string, Acquired>;
  readonly permittedAtStart: bigint;
  /** The capabilities to keep permitted; zero for none. */
  readonly keep: bigint;
  readonly env: NodeJS.ProcessEnv;
}

/**
 * Drops the capabilities and executes the same program again, which is what takes them from every thread: capset works on
 * one only. Same process, arguments, environment, sockets. Does not return; throws where something of it was refused.
 */
export function seal({ acquired, permittedAtStart, keep, env }: SealOptions): never {
  const execute = process.execve;
  if (execute === undefined) throw new Error('this Node has no execve');
  const { fds, variable } = writeHandover({ acquired, permittedAtStart, keep });
  for (const fd of [...fds, ...activationFds(env).filter(isSocket)]) keepOpen(fd);
  drop(keep);
  // The very file that runs, even where something else is at its path by now.
  return execute('/proc/self/exe', ownArguments(), { ...env, [HANDOVER_VARIABLE]: variable });
}
