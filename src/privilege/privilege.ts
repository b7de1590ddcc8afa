import { readFileSync } from 'node:fs';
import process from 'node:process';
import type { Acquired, Held } from '../core/collector.ts';
import { messageOf, optional } from '../core/errors.ts';
import type { Logger } from '../core/log.ts';
import { gauge } from '../core/metric.ts';
import type { Writer } from '../core/writer.ts';
import { useOpener } from '../perf/kernel.ts';
import {
  clearAmbient,
  hexOf,
  holdsAny,
  maskOf,
  namesOf,
  ownPrivileges,
  setCapabilities,
  threadPrivileges,
} from '../syscall/capability.ts';
import { openListener, type TcpAddress } from '../syscall/listen_socket.ts';
import { acquireAll, acquireOne, type Candidate, wantedBy, withEffective } from './acquire.ts';
import { servingPolicy } from './calls.ts';
import { type Confinement, confine, SealError } from './confine.ts';
import { type Handover, requireSeal, takeHandover, takeNothing } from './handover.ts';
import { planSandbox, prepareLandlock, type SandboxPlan, type SandboxWish } from './sandbox.ts';
import { type Drop, seal } from './seal.ts';
import { OPENER, startOpener } from './separate.ts';
import { chooseUser } from './user.ts';

export type PrivilegeMode = 'sealed' | 'separated' | 'retained' | 'none';

/**
 * How the process that serves came to be: `sealed`, from one that held a capability; `direct`, from one that held none;
 * `retained` keeps what counters need, `unsealed` all that it was started with. All of them are confined alike.
 */
export type PrivilegeStage = 'sealed' | 'direct' | 'retained' | 'unsealed';

export const privilegeMetrics = {
  info: gauge(
    'keyhole_privilege_info',
    'How the process came to serve, with its permitted capabilities at the start and now (the most of any thread), in hexadecimal.',
    'mode',
    'stage',
    'permitted_at_start',
    'permitted',
  ),
  capableThreads: gauge(
    'keyhole_privilege_capable_threads',
    'Threads that held any capability in any set but the bounding one when the process began to serve.',
  ),
  noNewPrivs: gauge(
    'keyhole_privilege_no_new_privs',
    'Whether no_new_privs is set in every thread, so that nothing that is executed can gain a privilege.',
  ),
  user: gauge('keyhole_privilege_uid', 'The number of the user who serves.'),
  landlock: gauge(
    'keyhole_privilege_landlock_version',
    "The version of Landlock's interface whose rules hold for every thread; 0 where none do.",
  ),
  seccomp: gauge('keyhole_privilege_seccomp', 'Whether a filter of system calls holds for every thread.'),
  traceable: gauge(
    'keyhole_privilege_traceable',
    'Whether other processes of the same user may trace this one, and so take its descriptors.',
  ),
  descriptors: gauge(
    'keyhole_privilege_descriptors',
    'Descriptors that were opened at the start, with privilege where there was one, and are kept: by collector, or web for sockets to listen on.',
    'owner',
  ),
} as const;

export interface Privilege {
  readonly stage: PrivilegeStage;
  /** What each collector acquired, by its name. */
  readonly acquired: ReadonlyMap<string, Acquired>;
  /** Does a collector's `acquire` again. Missing in a sealed process that is alone. */
  readonly reacquire?: (candidate: Candidate) => Acquired;
  /**
   * To be called when everything is set up and listens: shuts what is not needed any more. Answers what was done, as the fields
   * of one line in the log. Throws a `SealError` where the sandbox is required and the kernel has none.
   */
  shut(): PrivilegeSummary & { readonly [K in keyof Confinement]: Confinement[K] };
  /** The descriptor of a socket that listens already where this is asked for; `undefined` where it needs no privilege. */
  listenerOf(address: TcpAddress): number | undefined;
  /** The same line at any time; without what only `shut` finds out as long as that has not been called. */
  summary(): PrivilegeSummary & Partial<Confinement>;
  /** Nothing before `shut`. */
  write(out: Writer): void;
}

/** One line in the log. */
export type PrivilegeSummary = {
  readonly stage: PrivilegeStage;
  readonly mode: PrivilegeMode;
  /** Names of capabilities, or `none`. */
  readonly permitted_at_start: string;
  readonly permitted: string;
  readonly capable_threads: number;
  readonly threads: number;
  readonly no_new_privs: boolean | 'unknown';
  readonly uid: number;
  /** How many were opened at the start, by owner: `perf:252`. */
  readonly descriptors: string;
};

export interface PrivilegeOptions {
  readonly mode: PrivilegeMode;
  readonly sandbox: SandboxWish;
  /** `--privilege.user` */
  readonly user: string;
  /** All enabled collectors. */
  readonly candidates: readonly Candidate[];
  readonly log: Logger;
  /** The addresses to listen on, of which some may need a privilege. */
  readonly listenOn: readonly TcpAddress[];
  /** Descriptors that were passed to the program, to listen on. */
  readonly passed: readonly number[];
  /** The roots of the trees, by the prefix that stands for them in what collectors read. */
  readonly trees: Readonly<Record<string, string>>;
  readonly rootfs: string;
  /** Files that are read besides: of the web configuration. */
  readonly files: readonly string[];
  /** The arguments with which the program is executed again. */
  readonly argv: readonly string[];
  /** The process's own; loses the variable of the hand-over. */
  readonly env: NodeJS.ProcessEnv;
}

const MANY = 8;
const inWords = (mask: bigint): string => {
  const names = namesOf(mask);
  return names.length > MANY ? `${names.length} capabilities` : names.join(',') || 'none';
};

/** Whose descriptors are the sockets to listen on: no collector's name. */
const WEB = 'web';
const BIND = maskOf(['net_bind_service']);
const keyOf = ({ host, port }: TcpAddress): string => `${host} ${port}`;

/** The first port that everybody may listen on. https://docs.kernel.org/networking/ip-sysctl.html */
const firstFreePort = (): number =>
  Number(optional(() => readFileSync('/proc/sys/net/ipv4/ip_unprivileged_port_start', 'latin1')) ?? 1024);

/** Listens where only a privilege may, before it is given up. What fails here will fail again later, and be told then. */
function acquireListeners(addresses: readonly TcpAddress[], permitted: bigint, log: Logger): Acquired | undefined {
  const end = (permitted & BIND) === 0n ? 0 : firstFreePort();
  const held: Held[] = [];
  for (const address of addresses) {
    if (address.port === 0 || address.port >= end) continue;
    try {
      const fd = withEffective(BIND, permitted, () => openListener(address));
      if (fd !== undefined) held.push({ key: keyOf(address), fd, kind: 'socket' });
    } catch (error) {
      log.debug('cannot listen yet', { port: address.port, err: messageOf(error) });
    }
  }
  return held.length === 0 ? undefined : { held, facts: null };
}

const PERF = maskOf(['perfmon', 'sys_admin']);

/** Starts the process that will open counters when this one cannot any more; there must be something for it to keep. */
function acquireOpener(options: PrivilegeOptions, permitted: bigint): Acquired | undefined {
  const { mode, candidates, trees, sandbox, user, env, log } = options;
  if (mode !== 'separated' || (wantedBy(candidates) & permitted & PERF) === 0n) return undefined;
  try {
    const fd = startOpener({ sysfs: trees['/sys'] ?? '/sys', sandbox, user, env });
    return { held: [{ key: OPENER, fd, kind: 'socket' }], facts: null };
  } catch (error) {
    log.warn('cannot start the process that opens counters', { err: messageOf(error) });
    return undefined;
  }
}

/** From here on counters are opened by the other process, where one was started. */
function connect(acquired: ReadonlyMap<string, Acquired>): boolean {
  const fd = acquired.get(OPENER)?.held[0]?.fd;
  if (fd !== undefined) useOpener(fd);
  return fd !== undefined;
}

const NOTHING: Acquired = { held: [], facts: undefined };

interface Served {
  readonly stage: PrivilegeStage;
  readonly permittedAtStart: bigint;
  readonly acquired: ReadonlyMap<string, Acquired>;
  /** What `reacquire` may raise. */
  readonly permitted: bigint;
  /** Whether it is the process that an exec left. */
  readonly wasExecuted: boolean;
}

/** What the process is. */
interface State {
  readonly threads: number;
  readonly capableThreads: number;
  /** `undefined` where a thread's is not known. */
  readonly noNewPrivs: boolean | undefined;
  /** The most that any thread has permitted. */
  readonly permitted: bigint;
  readonly uid: number;
}

function areAll(facts: readonly (boolean | undefined)[]): boolean | undefined {
  if (facts.includes(false)) return false;
  return facts.includes(undefined) ? undefined : true;
}

/** Looks at every thread. */
function stateOf(): State {
  const threads = threadPrivileges();
  return {
    threads: threads.length,
    capableThreads: threads.filter(holdsAny).length,
    noNewPrivs: areAll(threads.map(({ noNewPrivs }) => noNewPrivs)),
    permitted: threads.reduce((mask, thread) => mask | thread.permitted, 0n),
    uid: process.geteuid?.() ?? 0,
  };
}

function summaryOf({ stage, permittedAtStart, acquired }: Served, mode: PrivilegeMode, state: State): PrivilegeSummary {
  return {
    stage,
    mode,
    permitted_at_start: inWords(permittedAtStart),
    permitted: inWords(state.permitted),
    capable_threads: state.capableThreads,
    threads: state.threads,
    no_new_privs: state.noNewPrivs ?? 'unknown',
    uid: state.uid,
    descriptors: [...acquired].map(([name, { held }]) => `${name}:${held.length}`).join(',') || 'none',
  };
}

const bit = (value: boolean): number => (value ? 1 : 0);

function writeState(
  out: Writer,
  state: State & Confinement,
  { stage, permittedAtStart, acquired }: Served,
  mode: PrivilegeMode,
): void {
  out.sample(privilegeMetrics.info, 1, mode, stage, hexOf(permittedAtStart), hexOf(state.permitted));
  out.sample(privilegeMetrics.capableThreads, state.capableThreads);
  out.sample(privilegeMetrics.noNewPrivs, state.noNewPrivs === undefined ? undefined : bit(state.noNewPrivs));
  out.sample(privilegeMetrics.user, state.uid);
  out.sample(privilegeMetrics.landlock, state.landlock);
  out.sample(privilegeMetrics.seccomp, bit(state.seccomp));
  out.sample(privilegeMetrics.traceable, bit(state.traceable));
  for (const [name, { held }] of acquired) out.sample(privilegeMetrics.descriptors, held.length, name);
}

const holdsEvents = (acquired: Served['acquired']): boolean =>
  acquired.values().some(({ held }) => held.some(({ kind }) => kind === 'event'));

/** Whether counters can be opened again: those that opened without a privilege can, and what is kept is kept for it. */
const reopens = (stage: PrivilegeStage, acquired: Served['acquired']): boolean =>
  stage === 'direct' ? holdsEvents(acquired) : stage !== 'sealed';

function serve(served: Served, options: PrivilegeOptions): Privilege {
  const { stage, acquired, permitted, wasExecuted } = served;
  const { mode, sandbox, candidates, log } = options;
  const isSeparated = connect(acquired);
  let state: (State & Confinement) | undefined;
  let last: ReturnType<Privilege['summary']> = summaryOf(served, mode, stateOf());
  return {
    stage,
    acquired,
    shut() {
      const sockets = candidates.flatMap(({ collector, host }) => collector.needs?.(host).sockets ?? []);
      const confinement = confine({ wish: sandbox, sockets, wasExecuted, log });
      state = { ...stateOf(), ...confinement };
      const summary = { ...summaryOf(served, mode, state), ...confinement };
      last = summary;
      return summary;
    },
    summary: () => last,
    listenerOf: (address) => acquired.get(WEB)?.held.find(({ key }) => key === keyOf(address))?.fd,
    ...(isSeparated || reopens(stage, acquired)
      ? { reacquire: (candidate: Candidate) => acquireOne(candidate, permitted) ?? NOTHING }
      : {}),
    write(out) {
      if (state !== undefined) writeState(out, state, served, mode);
    },
  };
}

function stageOf({ mode }: PrivilegeOptions, wasCapable: boolean, keep: bigint): PrivilegeStage {
  if (!wasCapable) return 'direct';
  if (mode === 'none') return 'unsealed';
  return keep === 0n ? 'sealed' : 'retained';
}

/** The second stage: what was handed over has been verified. */
function resume({ acquired, permittedAtStart, keep, wasCapable }: Handover, options: PrivilegeOptions): Privilege {
  requireSeal(threadPrivileges(), keep);
  const stage = stageOf(options, wasCapable, keep);
  const permitted = ownPrivileges().permitted & keep;
  if (stage === 'retained') {
    clearAmbient();
    setCapabilities({ effective: 0n, permitted, inheritable: 0n });
  }
  return serve({ stage, permittedAtStart, acquired, permitted, wasExecuted: true }, options);
}

/** A process that could not be executed again serves only where that leaves no capability behind that it should not have. */
function remain(
  acquired: ReadonlyMap<string, Acquired>,
  permittedAtStart: bigint,
  options: PrivilegeOptions,
): Privilege {
  const { permitted } = ownPrivileges();
  const served = { permittedAtStart, acquired, permitted, wasExecuted: false };
  if (!threadPrivileges().some(holdsAny)) return serve({ ...served, stage: 'direct' }, options);
  if (options.mode === 'none') return serve({ ...served, stage: 'unsealed' }, options);
  throw new SealError(
    'cannot seal: some threads would keep the capabilities of the start. --privilege.mode=none serves with them',
  );
}

const kept = ({ mode, candidates }: PrivilegeOptions, permitted: bigint): bigint => {
  if (mode === 'none') return permitted;
  return mode === 'retained' ? wantedBy(candidates) & permitted : 0n;
};

/** Who serves from now on, and what is left open to it, by the enabled collectors and the flags. */
function prepare(acquired: ReadonlyMap<string, Acquired>, options: PrivilegeOptions): Pick<Drop, 'user' | 'ruleset'> {
  const { mode, sandbox, user: wish, trees, log } = options;
  const held = new Set(acquired.values().flatMap((each) => each.held.flatMap(({ path }) => path ?? [])));
  const user = mode === 'none' ? undefined : chooseUser({ ...options, wish, held });
  const plan = (): SandboxPlan => planSandbox({ ...options, trees: Object.values(trees) });
  try {
    return { user, ruleset: prepareLandlock(sandbox, plan) };
  } catch (error) {
    log.warn('no Landlock', { err: messageOf(error) });
    return { user, ruleset: undefined };
  }
}

/**
 * Acquires and seals: then it does not return, and the process it becomes returns from here with what was acquired. Throws a
 * `HandoverError` for a hand-over that is not its own, a `SealError` where it would serve with more than it should.
 */
export function settlePrivilege(options: PrivilegeOptions): Privilege {
  const { mode, candidates, listenOn, passed, log, env } = options;
  const nothing = takeNothing(env);
  const handover = takeHandover(env);
  if (handover !== undefined) return resume(handover, options);
  const { permitted } = ownPrivileges();
  // First, so that it inherits no counters. One that has no memory file to hand it over in would lose it.
  const opener = nothing ? undefined : acquireOpener(options, permitted);
  const acquired = acquireAll(candidates, permitted);
  if (opener !== undefined) acquired.set(OPENER, opener);
  const wasCapable = threadPrivileges().some(holdsAny);
  if (nothing)
    return resume({ acquired, permittedAtStart: permitted, keep: kept(options, permitted), wasCapable }, options);
  const listeners = acquireListeners(listenOn, permitted, log);
  if (listeners !== undefined) acquired.set(WEB, listeners);
  const prepared = prepare(acquired, options);
  try {
    const keep = kept(options, permitted);
    const stage = stageOf(options, wasCapable, keep);
    return seal({
      ...prepared,
      policy: options.sandbox === 'off' ? undefined : servingPolicy({ reopens: reopens(stage, acquired) }),
      keep,
      forGood: mode !== 'none',
      handover: { acquired, permittedAtStart: permitted, keep, wasCapable },
      passed,
      argv: options.argv,
      env,
      log,
    });
  } catch (error) {
    log.warn('cannot execute the program again', { err: messageOf(error) });
    return remain(acquired, permitted, options);
  }
}
