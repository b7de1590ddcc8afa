// Open groups of counters whose descriptors are files.
import { randomUUID } from 'node:crypto';
import { appendFileSync, closeSync, openSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import type { Acquired } from '../../src/core/collector.ts';
import type { GroupFacts, PerfFacts } from '../../src/perf/facts.ts';

/** What a read of a group answers, as `perf_event_open(2)` lays it out. */
function record(enabledNs: number, runningNs: number, members: readonly (readonly [value: number, id: number])[]) {
  const words = [members.length, enabledNs, runningNs, ...members.flat()].map(BigInt);
  return new Uint8Array(BigUint64Array.from(words).buffer);
}

export interface GroupOf
  extends Pick<GroupFacts, 'kind' | 'cpu'>,
    Partial<Pick<GroupFacts, 'pmu' | 'moves' | 'index' | 'place'>> {
  readonly names: readonly string[];
  /** Whose counters they are: a path below `sys/fs/cgroup`, where the folder must be. */
  readonly cgroup?: string;
  readonly scale?: number;
  readonly unit?: string;
}

/** Groups whose descriptors are files: each read takes the next record, as a counter's does. */
export function acquiring(t: TestContext, root: string, groups: readonly GroupOf[], more: Partial<PerfFacts> = {}) {
  let id = 100;
  const held: { key: string; fd: number; kind: 'event' }[] = [];
  const files: string[] = [];
  const facts = groups.map(
    ({ kind, cpu, pmu = kind, moves = false, index = 0, place, names, cgroup = '', ...rest }): GroupFacts => {
      const members = names.map((name, nth) => {
        const key = `${cgroup} ${kind}/${pmu}/${cpu}/${index}/${nth}`;
        const file = join(root, randomUUID());
        writeFileSync(file, '');
        const fd = openSync(file, 'r');
        held.push({ key, fd, kind: 'event' });
        if (nth === 0) files.push(file);
        id += 1;
        return { key, name, id, ...rest };
      });
      return { kind, pmu, cpu, index, moves, ...(place === undefined ? {} : { place }), members };
    },
  );
  t.after(() => {
    for (const { fd } of held)
      try {
        closeSync(fd);
      } catch {
        // The collector closes what is dead.
      }
  });
  /** Gives a group its next record; the values count up from `first`. */
  const next = (group: number, enabledNs: number, runningNs: number, first: number): void => {
    const { members } = facts[group] as GroupFacts;
    const values = members.map(({ id: own }, i) => [first + i, own] as const);
    appendFileSync(files[group] as string, record(enabledNs, runningNs, values));
  };
  const cpus = [...new Set(groups.map(({ cpu }) => cpu))];
  const ofCpus = facts.filter((_, i) => groups[i]?.cgroup === undefined);
  const paths = [...new Set(groups.flatMap(({ cgroup }) => cgroup ?? []))];
  const cgroups = paths.map((path) => ({
    path,
    inode: String(statSync(join(root, 'sys/fs/cgroup', path), { bigint: true }).ino),
    groups: facts.filter((_, i) => groups[i]?.cgroup === path),
  }));
  const none = { refusedCgroups: [], unopened: [], missing: [], verdicts: {} };
  const all: PerfFacts = { cpus, groups: ofCpus, cgroups, ...none, ...more };
  const acquired: Acquired = { held, facts: all };
  return { acquired, next };
}
