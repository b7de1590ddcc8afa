import type { Held } from '../core/collector.ts';
import { type Cgroup, cgroupLabel } from './cgroup_tree.ts';
import { type CgroupFacts, describeGroups } from './facts.ts';
import { newAttempt, numbered, openBatch, type PerfKernel, type Unopened } from './open.ts';
import type { Batch } from './planned.ts';

export interface CgroupOpening {
  readonly kernel: PerfKernel;
  /** Descriptors from this number on are left to others. */
  readonly fdMax: number;
  /** What to open for each cgroup, on all CPUs. */
  readonly batches: readonly Batch[];
}

export interface OpenedCgroup {
  /** Nothing where `facts` is missing. */
  readonly held: readonly Held[];
  readonly facts?: CgroupFacts;
  readonly unopened: readonly Unopened[];
}

const noPlace = (): never => {
  throw new Error('a cgroup has no counters of a package');
};

/** Opens the counters of one cgroup: on every CPU, or none, since a sum over some CPUs is nobody's. */
export function openCgroup({ kernel, fdMax, batches }: CgroupOpening, cgroup: Cgroup): OpenedCgroup {
  const attempt = newAttempt(kernel, fdMax);
  const all = batches.map((batch) => openBatch(attempt, batch, cgroup.path));
  const groups = numbered(all.flatMap((opened) => opened.groups));
  const unopened = all.flatMap((opened) => opened.unopened);
  if (groups.length > 0 && unopened.every(({ lacks }) => lacks)) {
    const described = describeGroups(groups, noPlace, `${cgroupLabel(cgroup.path)} `);
    return { held: described.held, facts: { ...cgroup, groups: described.groups }, unopened };
  }
  for (const { events } of groups) for (const { fd } of events.toReversed()) kernel.close(fd);
  return { held: [], unopened };
}

/** What one cgroup's refusal says of all the others: only that it is gone says nothing. */
export const isFinal = ({ facts, unopened }: OpenedCgroup): boolean =>
  facts === undefined && unopened.some(({ errno }) => errno !== 'ESTALE');

export interface OpenedCgroups {
  readonly held: readonly Held[];
  readonly cgroups: readonly CgroupFacts[];
  readonly unopened: readonly Unopened[];
}

/** Opens the counters of these cgroups, in order, until one is refused for a reason that the next will meet too. */
export function openCgroups(opening: CgroupOpening, cgroups: readonly Cgroup[]): OpenedCgroups {
  const held: Held[] = [];
  const opened: CgroupFacts[] = [];
  for (const cgroup of cgroups) {
    const result = openCgroup(opening, cgroup);
    held.push(...result.held);
    if (result.facts !== undefined) opened.push(result.facts);
    if (isFinal(result)) return { held, cgroups: opened, unopened: result.unopened };
  }
  return { held, cgroups: opened, unopened: [] };
}
