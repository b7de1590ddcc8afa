import type { Acquired, Turn } from '../core/collector.ts';
import type { Writer } from '../core/writer.ts';
import { laterCgroups, type PerfHost } from './acquire.ts';
import { type CgroupOpening, isFinal, mayGo, openCgroup, refusalOf } from './cgroup_open.ts';
import { type Cgroup, cgroupLabel, chooseCgroups, findCgroups, findCgroupTree, VISITED_MAX } from './cgroup_tree.ts';
import { isStarved } from './counts.ts';
import type { CgroupFacts, PerfFacts } from './facts.ts';
import { isOpenerUp } from './kernel.ts';
import { createLive, fdsOf, type LiveGroup, type LiveGroups } from './live.ts';
import { cgroupMetrics } from './metrics.ts';

/** A cgroup that is counted. */
interface Counted {
  readonly cgroup: Cgroup;
  readonly live: LiveGroups;
  /** What the groups of CPUs that went had counted, by event. */
  readonly gone: Map<string, number>;
  goneEnabledNs: number;
  goneRunningNs: number;
}

/** How many cgroups are in which state. */
interface States {
  counted: number;
  /** More than --collector.perf.cgroup-max. */
  leftOut: number;
  /** They came after the start, and nobody may open counters any more. */
  late: number;
  refused: number;
}

const SECOND_NS = 1e9;

/** A CPU's counters end; what they have counted stays in the sum. */
function endGroup(counted: Counted, group: LiveGroup): void {
  for (const [i, { name, scale = 1, repeats }] of group.facts.members.entries())
    if (repeats !== true)
      counted.gone.set(name, (counted.gone.get(name) ?? 0) + Number(group.tally.totals[i] ?? 0n) * scale);
  counted.goneEnabledNs += Number(group.tally.enabledTotalNs);
  counted.goneRunningNs += Number(group.tally.runningTotalNs);
}

function writeCgroup(out: Writer, counted: Counted): void {
  const label = cgroupLabel(counted.cgroup.path);
  const sums = new Map(counted.gone);
  const units = new Map<string, string>();
  const starved = new Set<string>();
  let [enabledNs, runningNs] = [counted.goneEnabledNs, counted.goneRunningNs];
  for (const { facts, tally } of counted.live.groups) {
    enabledNs += Number(tally.enabledTotalNs);
    runningNs += Number(tally.runningTotalNs);
    for (const [i, { name, scale = 1, unit = '', repeats }] of facts.members.entries()) {
      if (repeats === true) continue;
      sums.set(name, (sums.get(name) ?? 0) + Number(tally.totals[i] ?? 0n) * scale);
      units.set(name, unit);
      if (isStarved(tally)) starved.add(name);
    }
  }
  for (const [name, sum] of sums) {
    // A sum that lacks what ran on a CPU is nobody's.
    if (starved.has(name)) continue;
    if (name === 'cycles' || name === 'instructions') out.sample(cgroupMetrics[name], sum, label);
    else out.sample(cgroupMetrics.cgroupEvent, sum, label, name, units.get(name) ?? '');
  }
  out.sample(cgroupMetrics.cgroupEnabled, enabledNs / SECOND_NS, label);
  out.sample(cgroupMetrics.cgroupRunning, runningNs / SECOND_NS, label);
}

export interface CgroupCounters {
  /**
   * Looks which cgroups there are, opens what may be opened, closes what is gone, and reads all. Counters of CPUs that are `lost`
   * are dead too, although those of a cgroup seem to rest. Answers all online CPUs whose counters have died.
   */
  update(turn: Turn, online: readonly number[], lost: ReadonlySet<number>): Promise<ReadonlySet<number>>;
  /** Takes the counters that were opened in the place of all before. */
  replace(acquired: Acquired): void;
  /** Closes everything, before it is opened again. */
  forget(): void;
  groups(): readonly LiveGroup[];
  /** How many cgroups are counted. */
  count(): number;
  /** Writes nothing where no cgroups are asked for. */
  write(out: Writer): void;
}

/** All cgroups that are counted, by their paths, and what is to be remembered between scrapes. */
interface Book {
  readonly host: PerfHost;
  readonly all: Map<string, Counted>;
  /** Those that were closed to be opened again: their sums go on. */
  readonly closed: Map<string, Counted>;
  readonly states: States;
  readonly reported: Set<string>;
  /** The inodes of those that were refused when all were opened last: they did not come later. */
  refused: ReadonlySet<string>;
  /** The inodes of those that seemed to be just being removed. Who is still there at the next scrape is not. */
  going: ReadonlySet<string>;
}

function reportOnce({ host, reported }: Book, what: string, fields: Record<string, string | number>): void {
  if (reported.has(what)) return;
  reported.add(what);
  host.log.warn(what, fields);
}

function add({ all, closed }: Book, facts: CgroupFacts, fds: ReadonlyMap<string, number>): void {
  const { path, inode, groups } = facts;
  const before = closed.get(path);
  const same = before?.cgroup.inode === inode ? before : undefined;
  all.set(path, {
    cgroup: { path, inode },
    live: createLive(groups, fds),
    gone: same?.gone ?? new Map(),
    goneEnabledNs: same?.goneEnabledNs ?? 0,
    goneRunningNs: same?.goneRunningNs ?? 0,
  });
}

function end({ all }: Book, counted: Counted): void {
  for (const group of counted.live.groups) {
    endGroup(counted, group);
    counted.live.forget(group);
  }
  all.delete(counted.cgroup.path);
}

function adopt(book: Book, { held, facts }: Acquired): void {
  const fds = fdsOf(held);
  const { cgroups, refusedCgroups } = facts as PerfFacts;
  for (const each of cgroups) add(book, each, fds);
  book.refused = new Set(refusedCgroups);
  book.closed.clear();
}

/** Nobody opens counters for this process any more, or not yet. */
const CLOSED = ['EACCES', 'EPERM', 'EPIPE', 'EAGAIN'];

/** Opens what came since, until one is refused for a reason that the next will meet too. */
function openEach(book: Book, opening: CgroupOpening, fresh: readonly Cgroup[]): void {
  const { states, going: before } = book;
  const going = new Set<string>();
  book.going = going;
  for (const [i, cgroup] of fresh.entries()) {
    const result = openCgroup(opening, cgroup);
    if (result.facts !== undefined) add(book, result.facts, fdsOf(result.held));
    const errno = refusalOf(result);
    if (errno === undefined) continue;
    if (mayGo(errno)) going.add(cgroup.inode);
    if (mayGo(errno) && !before.has(cgroup.inode)) continue;
    const without = isFinal(errno) ? fresh.length - i : 1;
    if (CLOSED.includes(errno)) states.late += without;
    else {
      states.refused += without;
      reportOnce(book, 'cannot count for a cgroup', { cgroup: cgroupLabel(cgroup.path), errno });
    }
    if (isFinal(errno)) return;
  }
}

/** What would have them counted. Who has a process that opens counters is told what is wrong with it. */
function remedyOfLate(): string {
  const isUp = isOpenerUp();
  if (isUp === undefined) return '--privilege.mode=separated';
  return isUp ? "run 'keyhole doctor'" : 'start again: the process that opens counters has ended';
}

/** Opens what came since, where this process may. */
function openNew(book: Book, chosen: readonly Cgroup[]): void {
  const { host, all, states, refused } = book;
  const fresh = chosen.filter(({ path }) => !all.has(path));
  const opening = fresh.length > 0 && host.reacquire !== undefined ? laterCgroups(host) : undefined;
  states.refused = opening === undefined ? fresh.filter(({ inode }) => refused.has(inode)).length : 0;
  states.late = opening === undefined ? fresh.length - states.refused : 0;
  if (opening !== undefined) openEach(book, opening, fresh);
  if (states.late > 0) {
    const remedy = remedyOfLate();
    reportOnce(book, 'cgroups that came after the start are not counted', { cgroups: states.late, remedy });
  }
}

/** Closes what is gone, and opens what is new. */
function refresh(book: Book): void {
  const { host, all, states } = book;
  const { cgroupInclude: include, cgroupDepth: depth, cgroupMax: max } = host.flags;
  const root = findCgroupTree(host.sys);
  if (include === undefined || root === undefined) return;
  const { paths, isCut } = findCgroups(root, include, depth);
  if (isCut) reportOnce(book, 'there are more cgroups than are looked at', { looked_at: VISITED_MAX });
  const known = [...all.values()].map(({ cgroup }) => cgroup);
  const { chosen, leftOut } = chooseCgroups(root, paths, known, max);
  const inodes = new Map(chosen.map(({ path, inode }) => [path, inode]));
  for (const counted of all.values()) if (inodes.get(counted.cgroup.path) !== counted.cgroup.inode) end(book, counted);
  openNew(book, chosen);
  states.counted = all.size;
  states.leftOut = leftOut;
  if (leftOut > 0) reportOnce(book, 'more cgroups than --collector.perf.cgroup-max', { max, left_out: leftOut });
}

/** Adds the online CPUs whose counters are dead to `lost`. */
function readCounted(counted: Counted, online: readonly number[], lost: Set<number>): void {
  for (const group of counted.live.groups) {
    const { cpu } = group.facts;
    if (!online.includes(cpu) || lost.has(cpu)) counted.live.forget(group);
    else if (counted.live.read(group)) continue;
    else lost.add(cpu);
    endGroup(counted, group);
  }
}

/** The counters of cgroups, from those that were open at the start. */
export function createCgroupCounters(host: PerfHost, first: Acquired): CgroupCounters {
  const states: States = { counted: 0, leftOut: 0, late: 0, refused: 0 };
  const none: ReadonlySet<string> = new Set();
  const [all, closed, reported] = [new Map<string, Counted>(), new Map<string, Counted>(), new Set<string>()];
  const book: Book = { host, all, closed, states, reported, refused: none, going: none };
  adopt(book, first);
  return {
    async update(turn, online, lostBefore) {
      refresh(book);
      const lost = new Set(lostBefore);
      for (const counted of all.values()) {
        const pause = turn.pause();
        if (pause !== undefined) await pause;
        readCounted(counted, online, lost);
      }
      return lost;
    },
    groups: () => [...all.values()].flatMap(({ live }) => live.groups),
    replace: (acquired) => adopt(book, acquired),
    forget() {
      for (const counted of [...all.values()]) {
        end(book, counted);
        closed.set(counted.cgroup.path, counted);
      }
    },
    count: () => all.size,
    write(out) {
      if (host.flags.cgroupInclude === undefined) return;
      // What no CPU counts any more is no number, but an old one.
      for (const counted of all.values()) if (counted.live.groups.length > 0) writeCgroup(out, counted);
      out.sample(cgroupMetrics.cgroups, states.counted, 'counted');
      out.sample(cgroupMetrics.cgroups, states.leftOut, 'left_out');
      out.sample(cgroupMetrics.cgroups, states.late, 'late');
      out.sample(cgroupMetrics.cgroups, states.refused, 'refused');
    },
  };
}
