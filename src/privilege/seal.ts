import { readdirSync } from 'node:fs';
import process from 'node:process';
import { messageOf, optional } from '../core/errors.ts';
import type { Logger } from '../core/log.ts';
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
import { becomeUser, CHANGE_USER, keepCapabilities, type User } from '../syscall/identity.ts';
import { restrict } from '../syscall/landlock.ts';
import { syscall } from '../syscall/libc.ts';
import type { Policy } from '../syscall/seccomp.ts';
import { SealError, tryFilter } from './confine.ts';
import { HANDOVER_VARIABLE, type Handover, NOTHING_HANDED_OVER, writeHandover } from './handover.ts';

const SETPCAP = maskOf(['setpcap']);
const F_GETFD = 1;
const F_SETFD = 2;
const FD_CLOEXEC = 1;
/** Standard input, output and error stay. */
const FIRST_FD = 3;

/** What is given up. */
export interface Drop {
  /** The capabilities that stay permitted; zero for none. */
  readonly keep: bigint;
  /** Whether the ways to get a capability back are shut, too. */
  readonly forGood: boolean;
  /** Who serves, where it is another user. */
  readonly user: User | undefined;
  /** Rules of Landlock, where the kernel has it. */
  readonly ruleset: number | undefined;
  /** The system calls that are left; `undefined` for all. */
  readonly policy: Policy | undefined;
}

/**
 * Gives up every capability but `keep`, in every set, and the ways to get one back. Each way alone would do for an exec
 * under no_new_privs; an auditor sees all of them shut. What needs CAP_SETPCAP is left where that is not permitted.
 */
export function drop({ keep, forGood, user, ruleset, policy }: Drop, log: Logger): void {
  const { permitted } = getCapabilities();
  clearAmbient();
  if (forGood && (permitted & SETPCAP) !== 0n) {
    setCapabilities({ effective: SETPCAP, permitted, inheritable: 0n });
    // An executable with `=ep` does not start where the bounding set lacks what the file promises.
    if (fileCapability()?.effective !== true) dropBounding(keep);
    if (keep === 0n) lockSecurebits();
  }
  if (user !== undefined) {
    if (keep !== 0n) keepCapabilities();
    setCapabilities({ effective: CHANGE_USER, permitted, inheritable: 0n });
    becomeUser(user);
  }
  setCapabilities({ effective: 0n, permitted: keep, inheritable: keep });
  // Of an executable without file capabilities only what is ambient survives the exec.
  optional(() => raiseAmbient(keep), ['EPERM', 'EINVAL']);
  setNoNewPrivs();
  if (ruleset !== undefined) restrict(ruleset);
  if (policy !== undefined) tryFilter(policy, log);
}

/** Closes at the exec what was inherited from whoever started the program, but for what is passed on purpose. */
export function passOnly(passed: ReadonlySet<number>): void {
  for (const fd of readdirSync('/proc/self/fd').map(Number)) {
    if (fd < FIRST_FD) continue;
    // The descriptor that listed them is gone.
    const flags = optional(() => syscall('fcntl', fd, F_GETFD), ['EBADF']);
    if (flags === undefined) continue;
    syscall('fcntl', fd, F_SETFD, passed.has(fd) ? flags & ~FD_CLOEXEC : flags | FD_CLOEXEC);
  }
}

/** A command line of this program, for Node with a script and for the single executable, whose options are inside it. */
export function ownArguments(rest: readonly string[]): string[] {
  const { argv, argv0, execArgv } = process;
  const isSingle = process.getBuiltinModule('node:sea')?.isSea() === true;
  return isSingle ? [argv0, ...rest] : [argv0, ...execArgv, ...argv.slice(1, 2), ...rest];
}

/** Errors of `process.execve` have the number, and no name. */
const E2BIG = 7;

/** Variables that the program, its runtime or its libraries read. */
const READ_VARIABLES =
  /^(GOMAXPROCS|INVOCATION_ID|KEYHOLE_.*|KUBERNETES_SERVICE_HOST|LANG|LC_.*|LD_.*|LISTEN_.*|MALLOC_.*|NODE_.*|NO_COLOR|OPENSSL_.*|PATH|SSL_.*|SUPERVISORD_URL|TZ|UV_.*|container)$/;

export interface SealOptions extends Drop {
  readonly handover: Handover;
  /** Sockets that were passed to the program and are passed on. */
  readonly passed: readonly number[];
  /** What follows the program's name. */
  readonly argv: readonly string[];
  readonly env: NodeJS.ProcessEnv;
  readonly log: Logger;
}

/** Without a memory file there is no hand-over: what only a privilege opens will be missing, and the rest is served. */
function tryHandover({ handover, log }: SealOptions): ReturnType<typeof writeHandover> {
  try {
    return writeHandover(handover);
  } catch (error) {
    log.error('cannot hand over what was opened: serving without it', { err: messageOf(error) });
    return { fds: [], variable: NOTHING_HANDED_OVER };
  }
}

/**
 * Drops the capabilities and executes the same program again, which is what takes them from every thread, and puts every thread
 * under Landlock: both change one thread only. Same process, arguments, environment, sockets. Does not return; throws where
 * something of it was refused, and this thread has given up by then what it could.
 */
export function seal(options: SealOptions): never {
  const { passed, argv, env, log } = options;
  const { execve } = process;
  if (execve === undefined) throw new SealError('this Node has no execve');
  const { fds, variable } = tryHandover(options);
  passOnly(new Set([...fds, ...passed]));
  drop(options, log);
  const execute = (variables: NodeJS.ProcessEnv): never =>
    // The very file that runs, even where something else is at its path by now.
    execve('/proc/self/exe', ownArguments(argv), { ...variables, [HANDOVER_VARIABLE]: variable });
  try {
    return execute(env);
  } catch (error) {
    if ((error as { errno?: unknown }).errno !== E2BIG) throw error;
    const all = Object.entries(env);
    const read = all.filter(([name]) => READ_VARIABLES.test(name));
    log.warn('the environment is too large: only variables that are read are passed on', {
      dropped: all.length - read.length,
    });
    return execute(Object.fromEntries(read));
  }
}
