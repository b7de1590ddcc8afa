import { closeSync, fstatSync } from 'node:fs';
import process from 'node:process';
import { ExporterError, hasErrno, messageOf } from '../core/errors.ts';
import type { Logger } from '../core/log.ts';
import { PERF_TYPE_SOFTWARE } from '../perf/catalog.ts';
import { openCgroupFolders } from '../perf/cgroup_folder.ts';
import { findCgroupTree } from '../perf/cgroup_tree.ts';
import { countingTypes, serveOpener } from '../perf/opener.ts';
import { NO_GROUP, openEvent } from '../perf/perf_event.ts';
import { pmuFolders } from '../perf/pmu.ts';
import { openTree } from '../source/source.ts';
import {
  getCapabilities,
  holdsAny,
  maskOf,
  ownPrivileges,
  setCapabilities,
  threadPrivileges,
} from '../syscall/capability.ts';
import { createSpare } from '../syscall/memory.ts';
import { socketPair } from '../syscall/unix_socket.ts';
import { openerPolicy, openingPolicy } from './calls.ts';
import { tryFilter } from './confine.ts';
import { planOpener, prepareLandlock, type SandboxWish } from './sandbox.ts';
import { drop, ownArguments, passOnly } from './seal.ts';
import { chooseUser } from './user.ts';

/**
 * `--privilege.mode=separated`: before the process seals itself it starts the same executable a second time, as
 * `keyhole opener`. That one keeps the capability and opens counters for the sealed one, over a pair of sockets that nobody
 * else has an end of, until the other end is gone.
 */

/** The word after the program's name. */
export const OPENER = 'opener';
/** Where the opener finds its socket. */
const SOCKET_FD = 3;
/** Set once it has given up all other capabilities. */
const SETTLED_VARIABLE = 'KEYHOLE_OPENER';

const PERFMON = maskOf(['perfmon']);
const ADMIN = maskOf(['sys_admin']);

/** The opener cannot be what it has to be. */
export class OpenerError extends ExporterError {
  override readonly name = 'OpenerError';
  readonly code = 'OPENER';
}

export interface OpenerOptions {
  readonly sysfs: string;
  readonly sandbox: SandboxWish;
  /** As --privilege.user has it. */
  readonly user: string;
  readonly env: NodeJS.ProcessEnv;
}

/** Starts the opener with the capabilities of this process; answers this process's end of the pair. */
export function startOpener({ sysfs, sandbox, user, env }: OpenerOptions): number {
  const [own, other] = socketPair();
  try {
    const flags = [`--path.sysfs=${sysfs}`, `--privilege.sandbox=${sandbox}`, `--privilege.user=${user}`];
    const [argv0 = '', ...args] = ownArguments([OPENER, ...flags]);
    const { [SETTLED_VARIABLE]: _, ...rest } = env;
    process.getBuiltinModule('node:child_process').spawn('/proc/self/exe', args, {
      argv0,
      env: rest,
      stdio: ['ignore', 'ignore', 'inherit', other],
    });
    return own;
  } catch (error) {
    closeSync(own);
    throw error;
  } finally {
    closeSync(other);
  }
}

/** One that may be offline; then the answer is another than that of a missing capability. */
const ANY_CPU = 0;

const canOpen = (capabilities: bigint): boolean => {
  const before = getCapabilities();
  setCapabilities({ ...before, effective: capabilities & before.permitted });
  try {
    closeSync(openEvent({ type: PERF_TYPE_SOFTWARE, config: 0n }, ANY_CPU, NO_GROUP));
    return true;
  } catch (error) {
    return !hasErrno(error, ['EACCES', 'EPERM']);
  } finally {
    setCapabilities(before);
  }
};

/** CAP_PERFMON, and CAP_SYS_ADMIN only where this kernel wants that. */
function needed(): bigint {
  const { permitted } = ownPrivileges();
  const [perfmon, both] = [permitted & PERFMON, permitted & (PERFMON | ADMIN)];
  return canOpen(perfmon) ? perfmon : both;
}

/** What the opener reads: the tree of cgroups, and the names of event sources. */
function foldersOf(sysfs: string): string[] {
  const sys = openTree(sysfs);
  const root = findCgroupTree(sys);
  return [...pmuFolders(sys), ...(root === undefined ? [] : [root])];
}

/** That, and its own files, is what is left of the machine to it. */
function rulesetOf({ sandbox, env }: OpenerOptions, folders: readonly string[], log: Logger): number | undefined {
  try {
    return prepareLandlock(sandbox, () => planOpener(folders, env));
  } catch (error) {
    log.warn('no Landlock for the process that opens counters', { err: messageOf(error) });
    return undefined;
  }
}

/** Gives up all but `keep` in every thread, which takes an exec. Returns in the process that has nothing else. */
function settle(keep: bigint, options: OpenerOptions, log: Logger): void {
  const { sysfs, sandbox, user: wish, env } = options;
  const isSettled = env[SETTLED_VARIABLE] === 'settled';
  delete env[SETTLED_VARIABLE];
  const hasExcess = threadPrivileges().some(
    (thread) => (thread.permitted & ~keep) !== 0n || thread.noNewPrivs === false || (keep === 0n && holdsAny(thread)),
  );
  if (isSettled && !hasExcess) return;
  if (isSettled) throw new OpenerError('a thread keeps more than it should');
  const execute = process.execve;
  if (execute === undefined) throw new OpenerError('this Node has no execve');
  passOnly(new Set([SOCKET_FD]));
  const policy = sandbox === 'off' ? undefined : openerPolicy();
  const files = foldersOf(sysfs);
  const user = chooseUser({ wish, candidates: [], trees: {}, files, held: new Set(), log });
  drop({ keep, forGood: true, user, ruleset: rulesetOf(options, files, log), policy }, log);
  execute('/proc/self/exe', ownArguments(process.argv.slice(2)), { ...env, [SETTLED_VARIABLE]: 'settled' });
}

const isSocket = (): boolean => {
  try {
    return fstatSync(SOCKET_FD).isSocket();
  } catch {
    return false;
  }
};

/** Runs as the opener until the process that started it is gone. */
export function runOpener(options: OpenerOptions, log: Logger): void {
  const { sysfs, sandbox } = options;
  if (!isSocket()) throw new OpenerError('it is started by --privilege.mode=separated, and by nobody else');
  settle(needed(), options, log);
  const sys = openTree(sysfs);
  const root = findCgroupTree(sys);
  const folders = root === undefined ? undefined : openCgroupFolders(root);
  const types = countingTypes(sys);
  const { permitted } = getCapabilities();
  setCapabilities({ effective: permitted, permitted, inheritable: 0n });
  const hello = { pid: process.pid, privileges: ownPrivileges() };
  const spare = createSpare();
  // Later it may not read which pages are those of the executable.
  spare.code();
  const giveBack = (): void => {
    spare.heap();
    spare.code();
  };
  // From here on it receives and sends messages, opens folders of cgroups and counters, closes descriptors, and ends.
  if (sandbox !== 'off') tryFilter(openingPolicy, log);
  try {
    serveOpener({ hello, socket: SOCKET_FD, types, folders, giveBack });
  } catch (error) {
    if (!hasErrno(error, ['EPIPE', 'ECONNRESET'])) throw new OpenerError(messageOf(error), { cause: error });
  }
}
