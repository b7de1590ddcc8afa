import type { Held } from '../core/collector.ts';
import type { Cgroup } from './cgroup_tree.ts';
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
    const described = describeGroups(groups, noPlace, `/${cgroup.path} `);
    return { held: described.held, facts: { ...cgroup, groups: described.groups }, unopened };
  }
  for (const { events } of groups) for (const { fd } of events.toReversed()) kernel.close(fd);
  return { held: [], unopened };
}

/** Why a cgroup is not counted, an errno name; that it is gone is none. */
export const refusalOf = ({ facts, unopened }: OpenedCgroup): string | undefined =>
  facts === undefined ? unopened.map(({ errno }) => errno).find((errno) => errno !== 'ESTALE') : undefined;

/**
 * What is answered for a cgroup that is just being removed, whose folder is still there for a moment; and for an event that the
 * machine does not have.
 */
export const mayGo = (errno: string): boolean => errno === 'ENOENT' || errno === 'NO_EVENT';
/** Whether the next cgroup will meet the same. Whoever owns a cgroup may keep others out of its folder, and of no other. */
export const isFinal = (errno: string): boolean => errno !== 'ENOTDIR' && !mayGo(errno);

export interface OpenedCgroups {
  readonly held: readonly Held[];
  readonly cgroups: readonly CgroupFacts[];
  /** The inodes of those that are there and not counted. */
  readonly refused: readonly string[];
  readonly unopened: readonly Unopened[];
}

/** Opens the counters of these cgroups, in order, until one is refused for a reason that the next will meet too. */
export function openCgroups(opening: CgroupOpening, cgroups: readonly Cgroup[]): OpenedCgroups {
  const held: Held[] = [];
  const opened: CgroupFacts[] = [];
  const refused: string[] = [];
  let unopened: readonly Unopened[] = [];
  let going: readonly Unopened[] = [];
  for (const [i, cgroup] of cgroups.entries()) {
    const result = openCgroup(opening, cgroup);
    held.push(...result.held);
    if (result.facts !== undefined) opened.push(result.facts);
    const errno = refusalOf(result);
    if (errno === undefined) continue;
    if (mayGo(errno)) going = result.unopened;
    else unopened = result.unopened;
    const without = isFinal(errno) ? cgroups.slice(i) : [cgroup];
    refused.push(...without.map(({ inode }) => inode));
    if (isFinal(errno)) break;
  }
  // Where another cgroup has the events, this machine has them.
  if (unopened.length === 0 && opened.length === 0) unopened = going;
  return { held, cgroups: opened, refused, unopened };
}
