import { closeSync } from 'node:fs';
import type { Held } from '../core/collector.ts';
import { advance, type Habits, isAlive, newTally, type Tally } from './counts.ts';
import type { GroupFacts } from './facts.ts';
import { readGroup } from './perf_event.ts';

/** A group that is open, and what it has counted. */
export interface LiveGroup {
  readonly facts: GroupFacts;
  readonly leaderFd: number;
  readonly fds: readonly number[];
  readonly ids: readonly number[];
  readonly tally: Tally;
}

const groupKey = ({ kind, pmu, cpu, index }: GroupFacts): string => `${kind}/${pmu}/${cpu}/${index}`;
const eventKey = ({ kind, pmu, cpu }: GroupFacts, name: string): string => `${kind}/${pmu}/${cpu}/${name}`;

/** What groups counted before counters had to be opened again: totals by event, times by group. */
interface Carried {
  readonly totals: Map<string, bigint>;
  readonly times: Map<string, readonly [enabledNs: bigint, runningNs: bigint]>;
}

/** Groups that are read together, and what those before them have counted. */
export interface LiveGroups {
  readonly groups: readonly LiveGroup[];
  /** Reads one group. Forgets it, and answers false, where its counters are dead. */
  read(group: LiveGroup): boolean;
  forget(group: LiveGroup): void;
  /** Takes the counters that were opened in the place of all before; sums go on. */
  replace(groups: readonly GroupFacts[], fds: ReadonlyMap<string, number>): void;
}

/** The descriptors by their keys. */
export const fdsOf = (held: readonly Held[]): ReadonlyMap<string, number> =>
  new Map(held.map(({ key, fd }) => [key, fd]));

const HABITS: Readonly<Partial<Record<GroupFacts['kind'], Habits>>> = {
  cgroup: { rests: true },
  topdown: { shrinks: true },
};

/** Keeps open groups. */
export function createLive(first: readonly GroupFacts[], fds: ReadonlyMap<string, number>): LiveGroups {
  const carried: Carried = { totals: new Map(), times: new Map() };
  let groups = adopt(first, fds, carried);
  const forget = (group: LiveGroup): void => {
    const { facts, tally } = group;
    for (const [i, { name, repeats }] of facts.members.entries())
      if (repeats !== true) carried.totals.set(eventKey(facts, name), tally.totals[i] ?? 0n);
    carried.times.set(groupKey(facts), [tally.enabledTotalNs, tally.runningTotalNs]);
    groups = groups.filter((each) => each !== group);
    for (const fd of group.fds.toReversed()) closeSync(fd);
  };
  return {
    get groups() {
      return groups;
    },
    read(group) {
      try {
        const reading = readGroup(group.leaderFd);
        if (isAlive(group.tally, reading, group.ids, HABITS[group.facts.kind])) {
          advance(group.tally, reading);
          return true;
        }
      } catch {
        // An event that the kernel has given up answers with an end of file.
      }
      forget(group);
      return false;
    },
    forget,
    replace(next, nextFds) {
      groups = adopt(next, nextFds, carried);
    },
  };
}

function adopt(all: readonly GroupFacts[], fdOf: ReadonlyMap<string, number>, carried: Carried): LiveGroup[] {
  return all.map((group): LiveGroup => {
    const fds = group.members.map(({ key }) => {
      const fd = fdOf.get(key);
      if (fd === undefined) throw new Error(`no descriptor for the counter ${key}`);
      return fd;
    });
    const [enabledTotalNs, runningTotalNs] = carried.times.get(groupKey(group)) ?? [0n, 0n];
    const totals = group.members.map(({ name }) => carried.totals.get(eventKey(group, name)) ?? 0n);
    const tally: Tally = { ...newTally(totals.length), totals, enabledTotalNs, runningTotalNs };
    return { facts: group, leaderFd: fds[0] as number, fds, ids: group.members.map(({ id }) => id), tally };
  });
}
