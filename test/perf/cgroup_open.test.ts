import assert from 'node:assert/strict';
import { after, describe, test } from 'node:test';
import { openCgroup, openCgroups } from '../../src/perf/cgroup_open.ts';
import { type Cgroup, findCgroupTree } from '../../src/perf/cgroup_tree.ts';
import { perfKernel } from '../../src/perf/kernel.ts';
import type { PerfKernel } from '../../src/perf/open.ts';
import type { Batch, PlannedEvent } from '../../src/perf/planned.ts';
import { openTree } from '../../src/source/source.ts';
import { lacksCgroups, makeCgroup, OWN, removeAll, removeCgroup } from '../helpers/cgroups.ts';
import { loudly } from '../helpers/debian.ts';

/** A kernel that opens whatever it is not to refuse; `refuse` is asked for an errno. */
function machine(
  refuse: (name: string, cpu: number, cgroup: string | undefined) => string | undefined = () => undefined,
) {
  const open = new Map<number, string>();
  const asked: string[] = [];
  let nextFd = 10;
  const kernel: PerfKernel = {
    privileges: () => ({ effective: 0n, bounding: 0n, noNewPrivs: undefined, seccomp: undefined }),
    open({ name }, { cpu, cgroup }) {
      asked.push(`${cgroup} ${name} ${cpu}`);
      const code = refuse(name, cpu, cgroup);
      if (code !== undefined) throw Object.assign(new Error(code), { code });
      const fd = nextFd;
      nextFd += 1;
      open.set(fd, `${cgroup} ${name} ${cpu}`);
      return fd;
    },
    id: (fd) => BigInt(fd + 1000),
    enable() {},
    runningNs: () => 5n,
    close(fd) {
      assert.ok(open.delete(fd), 'closes only what is open');
    },
    sleep() {},
  };
  return { kernel, open, asked };
}

const event = (name: string): PlannedEvent => ({ name, type: 0, config: 1n });
const batch = (events: readonly PlannedEvent[]): Batch => ({
  kind: 'cgroup',
  pmu: 'cpu',
  cpus: [0, 1],
  events,
  moves: false,
});
const BATCHES = [
  batch([event('cycles'), event('instructions')]),
  batch([{ ...event('task-clock'), scale: 1e-9, unit: 'seconds' }, event('cycles')]),
];
const cgroup = (path: string): Cgroup => ({ path, inode: `inode of ${path}` });
const LIMIT = 1e6;

test('the counters of one cgroup are held by names that nobody else has, and told as they are', () => {
  const { kernel, open } = machine();
  const { held, facts, unopened } = openCgroup({ kernel, fdMax: LIMIT, batches: BATCHES }, cgroup('a/b'));
  assert.deepEqual(unopened, []);
  assert.equal(new Set(held.map(({ key }) => key)).size, 8);
  assert.deepEqual(new Set(held.map(({ fd }) => fd)), new Set(open.keys()));
  for (const { key, kind } of held) assert.deepEqual([key.startsWith('/a/b cgroup/cpu/'), kind], [true, 'event']);
  assert.deepEqual([facts?.path, facts?.inode], ['a/b', 'inode of a/b']);
  const told = facts?.groups.map(({ cpu, index, members, place }) => ({
    group: `${cpu}.${index}`,
    place,
    members: members.map(({ name, scale, unit, repeats }) => [name, scale, unit, repeats]),
  }));
  const first = [
    ['cycles', undefined, undefined, undefined],
    ['instructions', undefined, undefined, undefined],
  ];
  const second = [
    ['task-clock', 1e-9, 'seconds', undefined],
    ['cycles', undefined, undefined, true],
  ];
  assert.deepEqual(
    told?.toSorted((a, b) => a.group.localeCompare(b.group)),
    [
      { group: '0.0', place: undefined, members: first },
      { group: '0.1', place: undefined, members: second },
      { group: '1.0', place: undefined, members: first },
      { group: '1.1', place: undefined, members: second },
    ],
  );
  for (const { key, id } of facts?.groups.flatMap(({ members }) => members) ?? []) {
    const fd = held.find((each) => each.key === key)?.fd as number;
    assert.equal(id, fd + 1000);
  }
});

test('what the PMU does not have leaves the rest', () => {
  const { kernel, open } = machine((name) => (name === 'instructions' ? 'ENOENT' : undefined));
  const { facts, unopened } = openCgroup({ kernel, fdMax: LIMIT, batches: BATCHES }, cgroup('a'));
  assert.equal(open.size, 6);
  assert.equal(facts?.groups.length, 4);
  assert.deepEqual(
    unopened.map(({ event: name, errno, lacks }) => [name, errno, lacks]),
    [['instructions', 'ENOENT', true]],
  );
});

for (const [what, refuse, fdMax] of [
  ['one CPU refuses', (_: string, cpu: number) => (cpu === 1 ? 'ENODEV' : undefined), LIMIT],
  ['descriptors run out', () => undefined, 14],
  ['the PMU has none of it', () => 'ENOENT', LIMIT],
] as const)
  test(`a cgroup is counted on all CPUs or not at all: ${what}`, () => {
    const { kernel, open } = machine(refuse);
    const { held, facts, unopened } = openCgroup({ kernel, fdMax, batches: BATCHES }, cgroup('a'));
    assert.deepEqual([held, facts, open.size], [[], undefined, 0]);
    assert.ok(unopened.length > 0);
  });

test('one that is gone is passed over; nothing of it is held', () => {
  const { kernel, open } = machine((_, __, path) => (path === 'gone' ? 'ESTALE' : undefined));
  const opened = openCgroups({ kernel, fdMax: LIMIT, batches: BATCHES }, ['a', 'gone', 'b'].map(cgroup));
  assert.deepEqual(
    opened.cgroups.map(({ path }) => path),
    ['a', 'b'],
  );
  assert.deepEqual([opened.held.length, open.size, opened.unopened], [16, 16, []]);
});

test('a refusal that the next will meet too ends it, and is told; those before stay', () => {
  const { kernel, open, asked } = machine((_, __, path) => (path === 'b' ? 'EACCES' : undefined));
  const opened = openCgroups({ kernel, fdMax: LIMIT, batches: BATCHES }, ['a', 'b', 'c'].map(cgroup));
  assert.deepEqual(
    opened.cgroups.map(({ path }) => path),
    ['a'],
  );
  assert.deepEqual([opened.held.length, open.size], [8, 8]);
  assert.deepEqual([...new Set(opened.unopened.map(({ errno }) => errno))], ['EACCES']);
  assert.deepEqual(
    opened.refused,
    ['b', 'c'].map((path) => cgroup(path).inode),
  );
  assert.ok(!asked.some((each) => each.startsWith('c ')));
});

test('one that is just being removed costs itself alone', () => {
  const { kernel } = machine((_, __, path) => (path === 'going' ? 'ENOENT' : undefined));
  const opened = openCgroups({ kernel, fdMax: LIMIT, batches: BATCHES }, ['a', 'going', 'b'].map(cgroup));
  assert.deepEqual(
    opened.cgroups.map(({ path }) => path),
    ['a', 'b'],
  );
  assert.deepEqual(opened.unopened, [], 'the machine has the events');
});

test('a folder that nobody may read costs its own cgroup alone, which is asked for once', () => {
  const { kernel, open, asked } = machine((_, __, path) => (path === 'shut' ? 'ENOTDIR' : undefined));
  const opened = openCgroups({ kernel, fdMax: LIMIT, batches: BATCHES }, ['a', 'shut', 'b'].map(cgroup));
  assert.deepEqual(
    opened.cgroups.map(({ path }) => path),
    ['a', 'b'],
  );
  assert.deepEqual([opened.held.length, open.size, opened.refused], [16, 16, ['inode of shut']]);
  assert.ok(opened.unopened.every(({ errno }) => errno === 'ENOTDIR'));
  const perBatch = BATCHES.map(({ events }) => events.length);
  assert.equal(
    asked.filter((each) => each.startsWith('shut ')).length,
    (perBatch[0] as number) + (perBatch[1] as number),
  );
});

describe('with the kernel itself', { skip: loudly(lacksCgroups()) }, () => {
  after(() => removeAll());

  test('one that has gone since it was listed costs none of those after it', async () => {
    for (const name of ['a', 'gone', 'z']) makeCgroup(name);
    await removeCgroup('gone');
    const kernel = perfKernel(findCgroupTree(openTree('/sys')));
    const software = { ...batch([{ name: 'cs', type: 1, config: 3n }]), cpus: [0] };
    const asked = ['a', 'gone', 'z'].map((name) => cgroup(`${OWN}/${name}`));
    const { held, cgroups, refused, unopened } = openCgroups({ kernel, fdMax: LIMIT, batches: [software] }, asked);
    for (const { fd } of held) kernel.close(fd);
    assert.deepEqual(
      cgroups.map(({ path }) => path),
      [`${OWN}/a`, `${OWN}/z`],
    );
    assert.deepEqual([refused, unopened], [[], []]);
  });
});
