import type { Held } from '../core/collector.ts';
import { type Access, explain, type Verdict } from './access.ts';
import type { Cgroup } from './cgroup_tree.ts';
import type { OpenGroup, Unopened } from './open.ts';
import type { Missing, PerfKind } from './planned.ts';

/** What the first stage hands to the second, as plain JSON: which event sits in which group, and what could not be had. */
export interface PerfFacts {
  /** To count on; those of them that were online. */
  readonly cpus: readonly number[];
  readonly groups: readonly GroupFacts[];
  readonly cgroups: readonly CgroupFacts[];
  /** The inodes of cgroups whose counters were refused. */
  readonly refusedCgroups: readonly string[];
  readonly unopened: readonly Unopened[];
  readonly missing: readonly Missing[];
  /** What the refusals mean, by errno name: judged with the capabilities of who opened. */
  readonly verdicts: Readonly<Record<string, Verdict>>;
}

/** What a package's counters count for: numbers of `<sysfs>/devices/system/cpu/cpu<n>/topology`. */
export interface PackagePlace {
  readonly package: string;
  readonly die: string;
}

export interface GroupFacts {
  readonly kind: PerfKind;
  readonly pmu: string;
  readonly cpu: number;
  readonly index: number;
  readonly moves: boolean;
  /** Where the PMU is a package's. */
  readonly place?: PackagePlace;
  readonly members: readonly MemberFacts[];
}

export interface MemberFacts {
  /** Of the descriptor. */
  readonly key: string;
  readonly name: string;
  /** The kernel's number for the opened event, by which a read tells its members. */
  readonly id: number;
  readonly scale?: number;
  readonly unit?: string;
  /** The same event is in a group before: it is opened for that group's sake, and written once. */
  readonly repeats?: true;
}

/** The groups that count for one cgroup. */
export interface CgroupFacts extends Cgroup {
  readonly groups: readonly GroupFacts[];
}

/** Describes open groups, and the descriptors that they hold; keys begin with `prefix`. */
export function describeGroups(
  groups: readonly OpenGroup[],
  placeOf: (cpu: number) => PackagePlace,
  prefix = '',
): { held: Held[]; groups: GroupFacts[] } {
  const held: Held[] = [];
  const seen = new Set<string>();
  const described = groups.map(({ batch: { kind, pmu, moves }, cpu, index, events }): GroupFacts => {
    const members = events.map(({ event, fd, id }, place): MemberFacts => {
      const key = `${prefix}${kind}/${pmu}/${cpu}/${index}/${place}`;
      held.push({ key, fd, kind: 'event' });
      const { name, scale, unit } = event;
      const series = `${kind}/${pmu}/${cpu}/${name}`;
      const repeats = seen.has(series);
      seen.add(series);
      return {
        key,
        name,
        id,
        ...(scale === undefined ? {} : { scale }),
        ...(unit === undefined ? {} : { unit }),
        ...(repeats ? { repeats } : {}),
      };
    });
    return { kind, pmu, cpu, index, moves, ...(moves ? { place: placeOf(cpu) } : {}), members };
  });
  return { held, groups: described };
}

export const verdictsOf = (unopened: readonly Unopened[], access: Access): Record<string, Verdict> =>
  Object.fromEntries([...new Set(unopened.map(({ errno }) => errno))].map((errno) => [errno, explain(errno, access)]));

const NOTHING: Verdict = { reason: 'cpu_offline', why: 'none of the CPUs asked for is online', remedy: '' };

const NO_CGROUP: Verdict = {
  reason: 'no_cgroup',
  why: 'there is no cgroup that --collector.perf.cgroup-include matches',
  remedy: 'look at the pattern, and at --collector.perf.cgroup-depth',
};

/** Why there are no counters of a kind: what was refused comes before what the PMU lacks. */
export function verdictOf({ cpus, unopened, missing, verdicts }: PerfFacts, kind: PerfKind): Verdict {
  const own = unopened.filter((each) => each.kind === kind);
  const first = own.find(({ lacks }) => !lacks) ?? own[0];
  if (first !== undefined) return verdicts[first.errno] ?? NOTHING;
  const absent = missing.find((each) => each.kind === kind);
  if (absent === undefined) return kind === 'cgroup' && cpus.length > 0 ? NO_CGROUP : NOTHING;
  const reason = kind === 'tracepoint' ? 'no_tracefs' : 'no_event';
  return { reason, why: `${absent.event}: ${absent.why}`, remedy: '' };
}

export const sentence = ({ why, remedy }: Verdict): string => (remedy === '' ? why : `${why}. Remedy: ${remedy}`);
