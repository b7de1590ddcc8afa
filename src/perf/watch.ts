import type { Acquired, Turn } from '../core/collector.ts';
import { faultOf, type PerfHost } from './acquire.ts';
import type { PerfFacts } from './facts.ts';
import { isOpenerUp } from './kernel.ts';
import type { LiveGroup, LiveGroups } from './live.ts';
import { cpusToCount } from './plan.ts';

/** The CPUs whose counters are read. */
export const coveredBy = (groups: readonly LiveGroup[]): Set<number> =>
  new Set(groups.filter(({ facts }) => !facts.moves).map(({ facts }) => facts.cpu));

/** What counts for packages, and through which CPU. */
const sourcesOf = (groups: readonly LiveGroup[]): Set<string> =>
  new Set(groups.filter(({ facts }) => facts.moves).map(({ facts: { pmu, cpu } }) => `${pmu} on CPU ${cpu}`));

/**
 * Reads every group, and answers the online CPUs that lost one. A CPU that is offline gives frozen values: its groups end. What
 * counts for a package ends alone: its device may have gone, and the CPU that it is read through has not.
 */
export async function readAll(live: LiveGroups, online: readonly number[], turn: Turn): Promise<Set<number>> {
  const lost = new Set<number>();
  for (const group of live.groups) {
    const pause = turn.pause();
    // An await would cost a turn of the queue for every group, though there is nothing to wait for.
    if (pause !== undefined) await pause;
    const { cpu, moves } = group.facts;
    if (!moves && !online.includes(cpu)) live.forget(group);
    else if (!live.read(group) && !moves) lost.add(cpu);
  }
  // A group of one that died since the last read still shows some progress: its CPU's other groups show it.
  for (const group of live.groups) if (!group.facts.moves && lost.has(group.facts.cpu)) live.forget(group);
  return lost;
}

export interface Watched {
  /** Those of CPUs and those of cgroups. */
  groups(): readonly LiveGroup[];
  /** Closes all counters, and takes those that were opened in their place. */
  reopen(acquire: () => Acquired): PerfFacts;
}

/** To be called after a read of all groups. Answers the new facts where the counters were opened again. */
export type Watch = (online: readonly number[], lost: ReadonlySet<number>) => PerfFacts | undefined;

/** Notices CPUs that came, or went and came back: their counters have to be opened, which a sealed process cannot do. */
export function createWatch(host: PerfHost, { groups, reopen }: Watched, first: PerfFacts): Watch {
  /** Without counters, and reported. */
  let uncovered = new Set<number>();
  let before = coveredBy(groups());
  let sources = sourcesOf(groups());
  const start = (facts: PerfFacts): void => {
    before = coveredBy(groups());
    sources = sourcesOf(groups());
    // One that went meanwhile is looked for again: what is known of CPUs may be a second old.
    const away = facts.unopened.filter(({ errno }) => errno === 'ENODEV').flatMap(({ cpus }) => cpus);
    uncovered = new Set(facts.cpus.filter((cpu) => !before.has(cpu) && !away.includes(cpu)));
  };
  start(first);

  const openAgain = (reacquire: () => Acquired, cpus: string): PerfFacts => {
    const facts = reopen(() => {
      const acquired = reacquire();
      const fault = faultOf(acquired);
      if (fault !== undefined) throw new Error(fault);
      return acquired;
    });
    start(facts);
    host.log.info('counters were opened again', { cpus });
    return facts;
  };

  return (online, lost) => {
    const covered = coveredBy(groups());
    const gone = [...before].filter((cpu) => !online.includes(cpu)).join();
    if (gone !== '') host.log.warn('CPUs went offline, their counters end', { cpus: gone });
    before = covered;
    const left = sourcesOf(groups());
    const ended = [...sources.difference(left)].join();
    if (ended !== '') host.log.warn('counters of packages ended', { sources: ended });
    sources = left;
    for (const cpu of uncovered) if (!online.includes(cpu)) uncovered.delete(cpu);
    const wanted = cpusToCount(host.flags.cpus, online);
    const fresh = wanted.filter((cpu) => (!covered.has(cpu) || lost.has(cpu)) && !uncovered.has(cpu));
    if (fresh.length === 0) return undefined;
    const cpus = fresh.join();
    if (host.reacquire !== undefined && isOpenerUp() !== false) return openAgain(host.reacquire, cpus);
    for (const cpu of fresh) uncovered.add(cpu);
    const why = `CPUs came online whose counters a sealed process cannot open: ${cpus}`;
    if (host.flags.onHotplug === 'exit' && host.end !== undefined) host.end(why);
    else
      host.log.warn(why, {
        remedy: '--privilege.mode=separated, --collector.perf.on-hotplug=exit, or start again',
      });
    return undefined;
  };
}
