import { readFileSync } from 'node:fs';
import type { Acquired, Held } from '../core/collector.ts';
import { messageOf, optional } from '../core/errors.ts';
import type { Logger } from '../core/log.ts';
import { gauge } from '../core/metric.ts';
import type { Writer } from '../core/writer.ts';
import { useOpener } from '../perf/kernel.ts';
import {
  clearAmbient,
  getCapabilities,
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
import { type Handover, requireSeal, takeHandover } from './handover.ts';
import { seal } from './seal.ts';
import { OPENER, startOpener } from './separate.ts';

export type PrivilegeMode = 'sealed' | 'separated' | 'retained' | 'none';

/**
 * How the process that serves came to be: `sealed` and `retained` have been executed again, `direct` was started without
 * any capability, `unsealed` holds what it was started with.
 */
export type PrivilegeStage = 'sealed' | 'retained' | 'direct' | 'unsealed';

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
  descriptors: gauge(
    'keyhole_privilege_descriptors',
    'Descriptors that were opened at the start, with privilege where there was one, and are kept: by collector, or web for sockets to listen on.',
    'owner',
  ),
} as const;

/** What was done, as the fields of one line in the log. */
export type PrivilegeSummary = {
  readonly stage: PrivilegeStage;
  readonly mode: PrivilegeMode;
  /** Names of capabilities, or `none`. */
  readonly permitted_at_start: string;
  readonly permitted: string;
  readonly capable_threads: number;
  readonly threads: number;
  readonly no_new_privs: boolean;
  /** How many were opened at the start, by owner: `perf:252`. */
  readonly descriptors: string;
};

export interface Privilege {
  readonly stage: PrivilegeStage;
  /** What each collector acquired, by its name. */
  readonly acquired: ReadonlyMap<string, Acquired>;
  /** Does a collector's `acquire` again. Missing in a sealed process that is alone. */
  readonly reacquire?: (candidate: Candidate) => Acquired;
  /** The descriptor of a socket that listens already where this is asked for; `undefined` where it needs no privilege. */
  listenerOf(address: TcpAddress): number | undefined;
  readonly summary: PrivilegeSummary;
  write(out: Writer): void;
}

export interface PrivilegeOptions {
  readonly mode: PrivilegeMode;
  /** The enabled collectors that have an `acquire`. */
  readonly candidates: readonly Candidate[];
  readonly log: Logger;
  /** The addresses to listen on, of which some may need a privilege. */
  readonly listenOn: readonly TcpAddress[];
  /** `--path.sysfs`, for the opener. */
  readonly sysfs: string;
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

/** Listens where only a privilege may, before it is given up. What fails here fails again later, and is reported then. */
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
function acquireOpener(
  { mode, candidates, sysfs, env, log }: PrivilegeOptions,
  permitted: bigint,
): Acquired | undefined {
  if (mode !== 'separated' || (wantedBy(candidates) & permitted & PERF) === 0n) return undefined;
  try {
    return { held: [{ key: OPENER, fd: startOpener(sysfs, env), kind: 'socket' }], facts: null };
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
  readonly mode: PrivilegeMode;
  readonly stage: PrivilegeStage;
  readonly permittedAtStart: bigint;
  readonly acquired: ReadonlyMap<string, Acquired>;
  /** What `reacquire` may raise. */
  readonly permitted: bigint;
}

/** Looks at every thread, and answers for how it stands from then on. */
function serve({ mode, stage, permittedAtStart, acquired, permitted }: Served): Privilege {
  const threads = threadPrivileges();
  const capable = threads.filter(holdsAny).length;
  const noNewPrivs = threads.every((thread) => thread.noNewPrivs === true);
  const most = threads.reduce((mask, thread) => mask | thread.permitted, 0n);
  const isSeparated = connect(acquired);
  const counts = [...acquired].map(([name, { held }]) => [name, held.length] as const);
  return {
    stage,
    acquired,
    listenerOf: (address) => acquired.get(WEB)?.held.find(({ key }) => key === keyOf(address))?.fd,
    summary: {
      stage,
      mode,
      permitted_at_start: inWords(permittedAtStart),
      permitted: inWords(most),
      capable_threads: capable,
      threads: threads.length,
      no_new_privs: noNewPrivs,
      descriptors: counts.map(([name, count]) => `${name}:${count}`).join(',') || 'none',
    },
    ...(stage === 'sealed' && !isSeparated
      ? {}
      : { reacquire: (candidate: Candidate) => acquireOne(candidate, permitted) ?? NOTHING }),
    write(out) {
      out.sample(privilegeMetrics.info, 1, mode, stage, hexOf(permittedAtStart), hexOf(most));
      out.sample(privilegeMetrics.capableThreads, capable);
      out.sample(privilegeMetrics.noNewPrivs, noNewPrivs ? 1 : 0);
      for (const [name, count] of counts) out.sample(privilegeMetrics.descriptors, count, name);
    },
  };
}

/** The second stage: what was handed over has been verified. */
function resume({ acquired, permittedAtStart, keep }: Handover, { mode }: PrivilegeOptions): Privilege {
  requireSeal(threadPrivileges(), keep);
  if (keep === 0n) return serve({ mode, stage: 'sealed', permittedAtStart, acquired, permitted: 0n });
  const permitted = getCapabilities().permitted & keep;
  clearAmbient();
  setCapabilities({ effective: 0n, permitted, inheritable: 0n });
  return serve({ mode, stage: 'retained', permittedAtStart, acquired, permitted });
}

/** With what is left to this thread: a seal that failed may have dropped it all. */
function remain(
  acquired: ReadonlyMap<string, Acquired>,
  permittedAtStart: bigint,
  options: PrivilegeOptions,
): Privilege {
  const { permitted } = ownPrivileges();
  return serve({ mode: options.mode, stage: 'unsealed', permittedAtStart, acquired, permitted });
}

/**
 * Acquires, and seals where any thread holds a capability: then it does not return, and the process it becomes returns
 * from here with what was acquired. Throws a `HandoverError` for a hand-over that is not its own.
 */
export function settlePrivilege(options: PrivilegeOptions): Privilege {
  const { mode, candidates, listenOn, log, env } = options;
  const handover = takeHandover(env);
  if (handover !== undefined) return resume(handover, options);
  const { permitted } = ownPrivileges();
  // First, so that it inherits no counters.
  const opener = acquireOpener(options, permitted);
  const acquired = acquireAll(candidates, permitted);
  if (opener !== undefined) acquired.set(OPENER, opener);
  if (!threadPrivileges().some(holdsAny))
    return serve({ mode, stage: 'direct', permittedAtStart: permitted, acquired, permitted });
  if (mode === 'none') return remain(acquired, permitted, options);
  const listeners = acquireListeners(listenOn, permitted, log);
  if (listeners !== undefined) acquired.set(WEB, listeners);
  try {
    const keep = mode === 'retained' ? wantedBy(candidates) & permitted : 0n;
    return seal({ acquired, permittedAtStart: permitted, keep, env });
  } catch (error) {
    log.warn('cannot seal the process', { err: messageOf(error) });
    return remain(acquired, permitted, options);
  }
}
