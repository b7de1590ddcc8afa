import assert from 'node:assert/strict';
import { mkdirSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import perf from '../../src/collectors/perf.ts';
import { hostOf } from '../../src/core/assemble.ts';
import type { Acquired } from '../../src/core/collector.ts';
import { parseFlags } from '../../src/core/flag.ts';
import { silent } from '../../src/core/log.ts';
import { createSource } from '../../src/source/source.ts';
import { acquiring, type GroupOf } from '../helpers/perf_groups.ts';
import { golden, machineOf, prepared, tree } from '../helpers/scrape.ts';

const ONLINE = 'sys/devices/system/cpu/online';
const ARGV = [
  '--collector.perf.cgroup-include=^/kubepods',
  '--collector.perf.cgroup-max=3',
  ...['hardware', 'cache', 'software'].map((kind) => `--collector.perf.disable-${kind}-profilers`),
];
const [POD, OTHER] = ['kubepods.slice/pod1', 'kubepods.slice/pod2'];
const PAIR = ['cycles', 'instructions'];

function machine(t: TestContext, ...cgroups: readonly string[]): string {
  const root = tree(t, { [ONLINE]: '0-1\n', 'sys/fs/cgroup/cgroup.procs': '' });
  for (const path of cgroups) mkdirSync(join(root, 'sys/fs/cgroup', path), { recursive: true });
  return root;
}

const onBoth = (cgroup: string, names: readonly string[] = PAIR, more: Partial<GroupOf> = {}): GroupOf[] =>
  [0, 1].map((cpu) => ({ kind: 'cgroup', pmu: 'cpu', cpu, cgroup, names, ...more }));

const series = (text: string, family: string): Record<string, number> =>
  Object.fromEntries(
    [...text.matchAll(new RegExp(`^${family}\\{\\w+="([^"]*)"[^}]*\\} (\\S+)$`, 'gm'))].map(([, label, value]) => [
      label,
      Number(value),
    ]),
  );

test('perf: cgroups, summed over CPUs, scaled, and one that rests', async (t) => {
  const root = machine(t, POD, OTHER);
  const clock = { index: 1, scale: 1e-9, unit: 'seconds' } as const;
  const { acquired, next } = acquiring(t, root, [
    ...onBoth(POD),
    ...onBoth(POD, ['task-clock', 'cs:u'], clock),
    ...onBoth(OTHER),
  ]);
  next(0, 2e9, 1e9, 500);
  next(1, 1e9, 1e9, 50);
  next(2, 1e9, 1e9, 4e9);
  next(3, 1e9, 1e9, 5e9);
  for (const group of [4, 5]) next(group, 0, 0, 0);
  await golden(t, perf, { root, acquired, argv: ARGV }, 'perf_cgroups');
});

test('a CPU that goes leaves what it has counted in the sum', async (t) => {
  const root = machine(t, POD);
  const { acquired, next } = acquiring(t, root, onBoth(POD));
  const again = prepared(perf, { root, acquired, argv: ARGV });
  const step = async (online: string, first: number, second: number | undefined) => {
    writeFileSync(join(root, ONLINE), online);
    next(0, first, first, first);
    if (second !== undefined) next(1, second, second, second);
    const { text, error } = await again();
    assert.equal(error, undefined);
    return series(text, 'node_perf_cgroup_cycles_total')[`/${POD}`];
  };
  assert.equal(await step('0-1', 10, 5), 15);
  assert.equal(await step('0', 20, 7), 25);
  assert.equal(await step('0', 30, undefined), 35);
  writeFileSync(join(root, ONLINE), '2');
  assert.doesNotMatch((await again()).text, /node_perf_cgroup_cycles_total\{/);
});

test('one whose tasks all sleep lives on; one that lost its member is dead', async (t) => {
  const root = machine(t, POD, OTHER);
  const { acquired, next } = acquiring(t, root, [...onBoth(POD), ...onBoth(OTHER)]);
  const again = prepared(perf, { root, acquired, argv: ARGV });
  for (let i = 0; i < 3; i += 1) {
    for (const group of [0, 1, 2, 3]) next(group, 10, 10, 10);
    assert.deepEqual(series((await again()).text, 'node_perf_cgroup_cycles_total'), {
      [`/${POD}`]: 20,
      [`/${OTHER}`]: 20,
    });
  }
  for (const group of [0, 1, 2]) next(group, 11, 11, 11);
  const { text, success } = await again();
  assert.ok(success);
  assert.deepEqual(series(text, 'node_perf_cgroup_cycles_total'), { [`/${POD}`]: 22, [`/${OTHER}`]: 21 });
});

test('a group that ran for long and never had its turn has no count, until it has', async (t) => {
  const root = machine(t, POD);
  const { acquired, next } = acquiring(t, root, [...onBoth(POD), ...onBoth(POD, ['cs'], { index: 1 })]);
  const again = prepared(perf, { root, acquired, argv: ARGV });
  const step = async (enabled: number, running: number, value: number) => {
    next(0, 1e9 + enabled, 1e9 + enabled, 10);
    next(1, enabled, running, value);
    for (const group of [2, 3]) next(group, 1e9 + enabled, 1e9 + enabled, 7);
    const { text } = await again();
    const cycles = series(text, 'node_perf_cgroup_cycles_total')[`/${POD}`];
    return [cycles, series(text, 'node_perf_cgroup_event_total')[`/${POD}`]];
  };
  assert.deepEqual(await step(0.5e9, 0, 0), [10, 14]);
  assert.deepEqual(await step(2e9, 0, 0), [undefined, 14]);
  assert.deepEqual(await step(4e9, 1e9, 50), [210, 14]);
});

test('sealed: what goes has no series, what comes is reported once, and another of the same name is not the same', async (t) => {
  const root = machine(t, POD, OTHER);
  const { acquired, next } = acquiring(t, root, [...onBoth(POD), ...onBoth(OTHER)]);
  const warnings: string[] = [];
  const log = { ...silent, warn: (message: string) => void warnings.push(message), with: () => log };
  const again = prepared(perf, { root, acquired, argv: ARGV, log });
  const step = async () => {
    for (const group of [0, 1, 2, 3]) next(group, 10, 10, 10);
    const { text } = await again();
    const { counted, late, left_out } = series(text, 'keyhole_perf_cgroups');
    return [counted, late, left_out, Object.keys(series(text, 'node_perf_cgroup_cycles_total')).join()];
  };
  const at = (path: string) => join(root, 'sys/fs/cgroup', path);
  // The folder between them is wanted too, and nobody opens it.
  assert.deepEqual(await step(), [2, 1, 0, `/${POD},/${OTHER}`]);
  mkdirSync(at(`${POD}/c1`));
  assert.deepEqual(await step(), [2, 1, 1, `/${POD},/${OTHER}`]);
  mkdirSync(at('new'));
  rmSync(at(OTHER), { recursive: true });
  renameSync(at('new'), at(OTHER));
  assert.deepEqual(await step(), [1, 2, 1, `/${POD}`]);
  assert.deepEqual(warnings, [
    'cgroups that came after the start are not counted',
    'more cgroups than --collector.perf.cgroup-max',
  ]);
});

test('what was refused at the start is not called late', async (t) => {
  const root = machine(t, POD);
  const verdict = { reason: 'no_capability', why: 'kernel.perf_event_paranoid is 2', remedy: '' } as const;
  const unopened = [
    { kind: 'cgroup', pmu: 'cpu', event: 'cycles', errno: 'EACCES', lacks: false, cpus: [0, 1] },
  ] as const;
  const inodes = ['kubepods.slice', POD].map((path) => String(statSync(join(root, 'sys/fs/cgroup', path)).ino));
  const more = { unopened, refusedCgroups: inodes, verdicts: { EACCES: verdict } };
  const { acquired } = acquiring(t, root, [], more);
  const again = prepared(perf, { root, acquired, argv: ARGV });
  const { text, error } = await again();
  assert.deepEqual(series(text, 'keyhole_perf_cgroups'), { counted: 0, left_out: 0, late: 0, refused: 2 });
  assert.match(text, /^keyhole_perf_unavailable\{kind="cgroup",reason="no_capability"\} 1$/m);
  assert.match(String(error), /no counters: kernel.perf_event_paranoid is 2/);
  mkdirSync(join(root, 'sys/fs/cgroup', OTHER));
  assert.deepEqual(series((await again()).text, 'keyhole_perf_cgroups'), {
    ...{ counted: 0, left_out: 0, late: 1, refused: 2 },
  });
});

test('a pattern that no cgroup matches is the reason, and told', async (t) => {
  const root = machine(t, 'system.slice');
  const { acquired } = acquiring(t, root, [], { cpus: [0, 1] });
  const warnings: unknown[] = [];
  const warn = (message: string, fields?: object) => void warnings.push([message, fields]);
  const log = { ...silent, warn, with: () => log };
  const { text, error } = await prepared(perf, { root, acquired, argv: ARGV, log })();
  assert.match(text, /^keyhole_perf_unavailable\{kind="cgroup",reason="no_cgroup"\} 1$/m);
  assert.match(String(error), /no counters: there is no cgroup that --collector.perf.cgroup-include matches/);
  const why = 'there is no cgroup that --collector.perf.cgroup-include matches';
  const remedy = 'look at the pattern, and at --collector.perf.cgroup-depth';
  assert.deepEqual(warnings, [['there are no cgroups to count for', { pattern: '^/kubepods', why, remedy }]]);
});

test('a CPU that went and came between two scrapes takes along the counters that seem to rest', async (t) => {
  const root = machine(t, POD);
  const { acquired, next } = acquiring(t, root, [
    ...onBoth(POD, ['cycles']),
    ...[0, 1].map((cpu): GroupOf => ({ kind: 'software', cpu, names: ['ContextSwitch'] })),
  ]);
  const again = prepared(perf, { root, acquired, argv: ARGV.slice(0, -1) });
  for (const group of [0, 1, 2, 3]) next(group, 10, 10, 10);
  await again();
  next(0, 20, 20, 20);
  for (const group of [1, 3]) next(group, 10, 10, 10);
  next(2, 20, 20, 20);
  assert.deepEqual(series((await again()).text, 'node_perf_cgroup_cycles_total'), { [`/${POD}`]: 30 });
  next(0, 30, 30, 30);
  next(2, 30, 30, 30);
  const { text } = await again();
  assert.deepEqual(series(text, 'node_perf_cgroup_cycles_total'), { [`/${POD}`]: 40 });
  assert.match(text, /^node_perf_cpu_covered\{cpu="1"\} 0$/m);
});

test('opened again after hotplug the sums go on, but for one that is another now', async (t) => {
  const root = machine(t, POD, OTHER);
  const first = acquiring(t, root, [...onBoth(POD), ...onBoth(OTHER)]);
  const at = join(root, 'sys/fs/cgroup', OTHER);
  let second: ReturnType<typeof acquiring> | undefined;
  const reacquire = (): Acquired => {
    second = acquiring(t, root, [...onBoth(POD), ...onBoth(OTHER)]);
    for (const group of [0, 1, 2, 3]) second.next(group, 1, 1, 5);
    return second.acquired;
  };
  const parsed = parseFlags(ARGV, Object.values(perf.flags));
  const parts = {
    machine: machineOf(createSource(), { root }),
    parsed,
    enabled: [perf],
    acquired: first.acquired,
    reacquire,
  };
  const host = hostOf(perf, parts);
  const collector = { ...perf, setup: (own: typeof host) => perf.setup({ ...own, ...host } as never, perf.metrics) };
  const again = prepared(collector, { root, argv: ARGV });
  const step = async (online: string, from: typeof first, now: number) => {
    writeFileSync(join(root, ONLINE), online);
    for (const group of [0, 1, 2, 3]) from.next(group, now, now, now);
    return Object.values(series((await again()).text, 'node_perf_cgroup_cycles_total'));
  };
  assert.deepEqual(await step('0-1', first, 10), [20, 20]);
  assert.deepEqual(await step('0', first, 20), [30, 30]);
  mkdirSync(`${at}-new`);
  rmSync(at, { recursive: true });
  renameSync(`${at}-new`, at);
  assert.deepEqual(await step('0-1', first, 30), [40 + 10, 10]);
});
