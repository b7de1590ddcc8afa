import { errnoOf, messageOf } from '../core/errors.ts';
import type { Privileges } from './access.ts';
import { type Batch, GROUP_EVENTS_MAX, type PerfKind, type PlannedEvent } from './planned.ts';

/** Where to count. */
export interface Place {
  readonly cpu: number;
  /** Only what runs in this cgroup and below: its path from the tree's root, without a slash in front. */
  readonly cgroup?: string;
}

/** What opening needs of the kernel. Each throws an error with an errno name in `code`. */
export interface PerfKernel {
  open(event: PlannedEvent, place: Place, leaderFd: number | undefined): number;
  /** Of who opens: they decide what a refusal means. */
  privileges(): Privileges;
  id(fd: number): bigint;
  /** Starts a group, given its leader. */
  enable(leaderFd: number): void;
  runningNs(leaderFd: number): bigint;
  close(fd: number): void;
  sleep(ms: number): void;
}

export interface OpenGroup {
  readonly batch: Batch;
  readonly cpu: number;
  /** Counts the groups of this kind and PMU on this CPU. */
  readonly index: number;
  /** The leader first. */
  readonly events: readonly { readonly event: PlannedEvent; readonly fd: number; readonly id: number }[];
}

/** An event that was not opened, and on which CPUs. `lacks`: the PMU does not have it; the others were refused. */
export interface Unopened {
  readonly kind: PerfKind;
  readonly pmu: string;
  readonly event: string;
  readonly errno: string;
  readonly lacks: boolean;
  readonly cpus: readonly number[];
}

export interface Opened {
  readonly groups: readonly OpenGroup[];
  readonly unopened: readonly Unopened[];
}

/** The errnos by which a PMU says that it cannot count this, on any of its CPUs. */
const LACKS = ['ENOENT', 'ENOTSUP', 'EINVAL', 'ENXIO', 'NO_ROOM'];
/** Those that will be the same for the next CPU: of the kernel, of a cgroup's folder, of an opener that does not answer. */
const DENIED = ['EACCES', 'EPERM', 'ENOSYS', 'NO_SYSCALLS', 'ESTALE', 'ENOTDIR', 'EAGAIN', 'EPIPE'];
/** Those that leave nothing to be tried on this CPU. */
const CPU_OVER = ['ENODEV', 'EMFILE', 'ENFILE'];

export interface Attempt {
  readonly kernel: PerfKernel;
  /** Descriptors from this number on are left to others. */
  readonly fdMax: number;
  /** Events that start a group of their own, since with those before them they do not fit. */
  readonly leaders: Set<PlannedEvent>;
  /** Events not worth another try in this batch, and why. */
  readonly given: Map<PlannedEvent, string>;
}

export const newAttempt = (kernel: PerfKernel, fdMax: number): Attempt => ({
  kernel,
  fdMax,
  leaders: new Set(),
  given: new Map(),
});

const codeOf = (error: unknown): string => errnoOf(error) ?? messageOf(error);

type Result = { readonly fd: number; readonly id: number } | { readonly errno: string };

function openOne({ kernel, fdMax }: Attempt, event: PlannedEvent, place: Place, leaderFd: number | undefined): Result {
  const configs = event.plainConfig === undefined ? [event.config] : [event.config, event.plainConfig];
  let errno = 'ENOENT';
  for (const config of configs) {
    let fd: number | undefined;
    try {
      fd = kernel.open({ ...event, config }, place, leaderFd);
      if (fd >= fdMax) throw Object.assign(new Error('too many open files'), { code: 'EMFILE' });
      return { fd, id: Number(kernel.id(fd)) };
    } catch (error) {
      if (fd !== undefined) kernel.close(fd);
      errno = codeOf(error);
      if (!LACKS.includes(errno)) break;
    }
  }
  return { errno };
}

type Building = { event: PlannedEvent; fd: number; id: number }[];

interface Done {
  readonly groups: readonly Building[];
  readonly refused: readonly { readonly event: PlannedEvent; readonly errno: string }[];
}

/** Opens a group whose members belong together: all of them, or none. */
function openWhole(attempt: Attempt, { events }: Batch, place: Place): Done {
  const { kernel, given } = attempt;
  const group: Building = [];
  const refuse = (errno: string): Done => {
    for (const { fd } of group.toReversed()) kernel.close(fd);
    return { groups: [], refused: events.map((event) => ({ event, errno })) };
  };
  for (const event of events) {
    const known = given.get(event);
    if (known !== undefined) return refuse(known);
    const leaderFd = group[0]?.fd;
    const result = openOne(attempt, event, place, leaderFd);
    if ('fd' in result) {
      group.push({ event, ...result });
      continue;
    }
    let { errno } = result;
    if (errno === 'EINVAL' && leaderFd !== undefined) {
      const alone = openOne(attempt, event, place, undefined);
      if ('fd' in alone) {
        kernel.close(alone.fd);
        errno = 'NO_ROOM';
      }
    }
    if (LACKS.includes(errno) || DENIED.includes(errno)) given.set(event, errno);
    return refuse(errno);
  }
  return { groups: [group], refused: [] };
}

/** Each event joins the group before it, or, where that is full or the PMU has no room, starts the next. */
function openLoose(attempt: Attempt, batch: Batch, place: Place): Done {
  const { leaders, given } = attempt;
  const groups: Building[] = [];
  const refused: { event: PlannedEvent; errno: string }[] = [];
  for (const [position, event] of batch.events.entries()) {
    const known = given.get(event);
    if (known !== undefined) {
      refused.push({ event, errno: known });
      continue;
    }
    const before = groups.at(-1);
    const group = leaders.has(event) || before?.length === GROUP_EVENTS_MAX ? undefined : before;
    let result = openOne(attempt, event, place, group?.[0]?.fd);
    if (group !== undefined && 'fd' in result) {
      group.push({ event, ...result });
      continue;
    }
    if (group !== undefined && 'errno' in result && result.errno === 'EINVAL') {
      result = openOne(attempt, event, place, undefined);
      if ('fd' in result) leaders.add(event);
    }
    if ('fd' in result) {
      groups.push([{ event, ...result }]);
      continue;
    }
    refused.push({ event, errno: result.errno });
    if (LACKS.includes(result.errno) || DENIED.includes(result.errno)) given.set(event, result.errno);
    if (CPU_OVER.includes(result.errno)) {
      for (const rest of batch.events.slice(position + 1)) refused.push({ event: rest, errno: result.errno });
      break;
    }
  }
  return { groups, refused };
}

/** Opens a batch on its CPUs; for a cgroup where one is given. Its groups count from then on. */
export function openBatch(attempt: Attempt, batch: Batch, cgroup?: string): Opened {
  const groups: OpenGroup[] = [];
  const refused = new Map<string, { event: PlannedEvent; errno: string; cpus: number[] }>();
  for (const cpu of batch.cpus) {
    const place = cgroup === undefined ? { cpu } : { cpu, cgroup };
    const done = (batch.isWhole === true ? openWhole : openLoose)(attempt, batch, place);
    for (const group of done.groups) attempt.kernel.enable((group[0] as Building[number]).fd);
    groups.push(...done.groups.map((events, index): OpenGroup => ({ batch, cpu, index, events })));
    for (const { event, errno } of done.refused) {
      const key = `${event.name} ${errno}`;
      const before = refused.get(key);
      if (before === undefined) refused.set(key, { event, errno, cpus: [cpu] });
      else before.cpus.push(cpu);
    }
  }
  const { kind, pmu } = batch;
  const unopened = [...refused.values()].map(({ event, errno: told, cpus }): Unopened => {
    const lacks = LACKS.includes(told);
    // What is asked of another event source says nothing about the PMU of cores.
    const errno = lacks && told !== 'NO_ROOM' && batch.isOther === true ? 'NO_EVENT' : told;
    return { kind, pmu, event: event.name, errno, lacks, cpus };
  });
  return { groups, unopened };
}

/** How long the kernel lets a group run before the next has its turn; its default, `perf_event_mux_interval_ms`. */
const TURN_MS = 4;
const TURNS_MAX = 64;

/** The groups on this batch's first CPU that have not run although all had their turns. */
function idleGroups(kernel: PerfKernel, groups: readonly OpenGroup[]): OpenGroup[] {
  const cpu = groups[0]?.cpu;
  const probes = groups.filter((group) => group.cpu === cpu);
  const isIdle = ({ events: [leader] }: OpenGroup): boolean =>
    leader !== undefined && kernel.runningNs(leader.fd) === 0n;
  let idle = probes.filter(isIdle);
  const turns = Math.min(TURNS_MAX, 4 * (probes.length + 1));
  for (let turn = 0; turn < turns && idle.length > 0; turn += 1) {
    kernel.sleep(TURN_MS);
    idle = idle.filter(isIdle);
  }
  return idle;
}

/** Counts the groups that share a kind, a PMU and a CPU, whatever batch they came from. */
export function numbered(groups: readonly OpenGroup[]): OpenGroup[] {
  const counts = new Map<string, number>();
  return groups.map((group) => {
    const key = `${group.batch.kind}/${group.batch.pmu}/${group.cpu}`;
    const index = counts.get(key) ?? 0;
    counts.set(key, index + 1);
    return { ...group, index };
  });
}

const SPLITS_MAX = 5;

/**
 * Opens the batches. A group that the PMU took and that never runs all the same, since somebody else holds a counter
 * that it needs, is split in halves until it does.
 */
export function openBatches(batches: readonly Batch[], kernel: PerfKernel, fdMax: number): Opened {
  const all = batches.map((batch) => {
    const attempt = newAttempt(kernel, fdMax);
    return { batch, attempt, opened: openBatch(attempt, batch) };
  });
  const ofCounters = all.filter(
    ({ batch: { kind, isWhole } }) => kind !== 'software' && kind !== 'tracepoint' && isWhole !== true,
  );
  for (const each of ofCounters) {
    for (let round = 0; round < SPLITS_MAX; round += 1) {
      const crowded = idleGroups(kernel, each.opened.groups).filter(({ events }) => events.length > 1);
      if (crowded.length === 0) break;
      for (const { events } of crowded) {
        const middle = events[Math.ceil(events.length / 2)];
        if (middle !== undefined) each.attempt.leaders.add(middle.event);
      }
      for (const { events } of each.opened.groups) for (const { fd } of events.toReversed()) kernel.close(fd);
      each.opened = openBatch(each.attempt, each.batch);
    }
  }
  return {
    groups: numbered(all.flatMap(({ opened }) => opened.groups)),
    unopened: all.flatMap(({ opened }) => opened.unopened),
  };
}
