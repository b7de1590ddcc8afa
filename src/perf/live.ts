import type { Acquired } from '../core/collector.ts';
import { advance, isAlive, newTally, type Reading, type Tally } from './counts.ts';
import type { GroupFacts, PerfFacts } from './facts.ts';

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

/** What was counted before counters had to be opened again: totals by event, times by group. */
interface Carried {
  readonly totals: Map<string, bigint>;
  readonly times: Map<string, readonly [enabledNs: bigint, runningNs: bigint]>;
}

export interface LiveGroups {
  readonly groups: readonly LiveGroup[];
  /** Reads one group. Forgets it, and answers false, where its counters are dead. */
  read(group: LiveGroup): boolean;
  forget(group: LiveGroup): void;
  /** Takes the counters that were opened in the place of all before; sums go on. */
  replace(acquired: Acquired): void;
}

/** Keeps the open groups. `read` throws where a descriptor gives no group any more. */
export function createLive(acquired: Acquired, read: (fd: number) => Reading, close: (fd: number) => void): LiveGroups {
  const carried: Carried = { totals: new Map(), times: new Map() };
  let groups = adopt(acquired, carried);
  const forget = (group: LiveGroup): void => {
    const { facts, tally, fds } = group;
    for (const [i, { name }] of facts.members.entries())
      carried.totals.set(eventKey(facts, name), tally.totals[i] ?? 0n);
    carried.times.set(groupKey(facts), [tally.enabledTotalNs, tally.runningTotalNs]);
    groups = groups.filter((each) => each !== group);
    for (const fd of fds.toReversed()) close(fd);
  };
  return {
    get groups() {
      return groups;
    },
    read(group) {
      try {
        const reading = read(group.leaderFd);
        if (isAlive(group.tally, reading, group.ids)) {
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
    replace(next) {
      groups = adopt(next, carried);
    },
  };
}

function adopt({ held, facts }: Acquired, carried: Carried): LiveGroup[] {
  const fdOf = new Map(held.map(({ key, fd }) => [key, fd]));
  return (facts as PerfFacts).groups.map((group): LiveGroup => {
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
