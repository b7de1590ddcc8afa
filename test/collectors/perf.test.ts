import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import perf from '../../src/collectors/perf.ts';
import { hostOf } from '../../src/core/assemble.ts';
import type { Acquired } from '../../src/core/collector.ts';
import { UsageError } from '../../src/core/errors.ts';
import { parseFlags } from '../../src/core/flag.ts';
import { silent } from '../../src/core/log.ts';
import { createSource } from '../../src/source/source.ts';
import { acquiring } from '../helpers/perf_groups.ts';
import { golden, machineOf, prepared, scrape, tree } from '../helpers/scrape.ts';

const ONLINE = 'sys/devices/system/cpu/online';

const NO_PMU = { reason: 'no_event', why: "this machine's PMU has no such event", remedy: '' } as const;

const PACKAGE = { moves: true, place: { package: '1', die: '0' } } as const;
const TOPDOWN = [
  'slots',
  ...['topdown-retiring', 'topdown-bad-spec', 'topdown-fe-bound', 'topdown-be-bound'],
  ...['topdown-heavy-ops', 'topdown-br-mispredict', 'topdown-fetch-lat', 'topdown-mem-bound'],
];

test('perf: every kind of counter, scaled, with what is missing and why', async (t) => {
  const root = tree(t, { [ONLINE]: '0-2\n' });
  const { acquired, next } = acquiring(
    t,
    root,
    [
      { kind: 'hardware', pmu: 'cpu', cpu: 0, names: ['CpuCycles', 'CpuInstr'] },
      { kind: 'hardware', pmu: 'cpu', cpu: 0, index: 1, names: ['CacheRef'] },
      { kind: 'software', cpu: 0, names: ['PageFault', 'ContextSwitch'] },
      { kind: 'tracepoint', cpu: 0, names: ['sched:sched_switch'] },
      { kind: 'event', pmu: 'power', cpu: 0, ...PACKAGE, names: ['energy-pkg'], scale: 2 ** -32, unit: 'joules' },
      { kind: 'hardware', pmu: 'cpu', cpu: 1, names: ['CpuCycles', 'CpuInstr'] },
      { kind: 'event', pmu: 'uncore_imc_0', cpu: 0, ...PACKAGE, names: ['cas_count_read'], scale: 64, unit: 'bytes' },
      {
        kind: 'event',
        pmu: 'uncore_imc_1',
        cpu: 0,
        ...PACKAGE,
        names: ['cas_count_read_sch1'],
        scale: 64,
        unit: 'bytes',
      },
      { kind: 'event', pmu: 'amd_l3', cpu: 0, ...PACKAGE, names: ['event=0x4'] },
      { kind: 'event', pmu: 'amd_l3', cpu: 2, ...PACKAGE, names: ['event=0x4'] },
      { kind: 'event', pmu: 'cpu', cpu: 0, names: ['r1c0:u'] },
      { kind: 'topdown', pmu: 'cpu', cpu: 0, names: TOPDOWN },
    ],
    {
      cpus: [0, 1, 2],
      unopened: [
        { kind: 'cache', pmu: 'cpu', event: 'LLReadHit', errno: 'ENOENT', lacks: true, cpus: [0, 1] },
        { kind: 'hardware', pmu: 'cpu', event: 'CpuCycles', errno: 'EMFILE', lacks: false, cpus: [2] },
      ],
      missing: [{ kind: 'event', pmu: 'gpu', event: 'busy', why: 'this machine has no event source gpu' }],
      verdicts: { ENOENT: NO_PMU, EMFILE: { reason: 'files_limit', why: 'few', remedy: 'more' } },
    },
  );
  next(0, 4e9, 4e9, 1_000_000);
  next(1, 4e9, 1e9, 1000);
  next(2, 4e9, 4e9, 70);
  next(3, 4e9, 4e9, 12);
  next(4, 4e9, 4e9, 3 * 2 ** 32);
  next(5, 4e9, 0, 0);
  for (const group of [6, 7, 8, 9, 10, 11]) next(group, 4e9, 4e9, 100 * group);
  await golden(t, perf, {
    root,
    acquired,
    argv: [
      '--collector.perf.tracepoint=sched:sched_switch',
      '--collector.perf.events=power/energy-pkg/,gpu/busy/',
      '--collector.perf.hardware-profilers=CpuCycles,CpuInstr,CacheRef',
      '--collector.perf.cache-profilers=LLReadHit',
      '--collector.perf.presets=topdown,membw',
    ],
  });
});

const softwareOnly = ['--collector.perf.disable-hardware-profilers', '--collector.perf.disable-cache-profilers'];
const PAIR = [
  { kind: 'software', cpu: 0, names: ['ContextSwitch', 'PageFault'] },
  { kind: 'software', cpu: 1, names: ['ContextSwitch', 'PageFault'] },
] as const;
const switches = (text: string): string[] => text.match(/^node_perf_context_switches_total.*$/gm) ?? [];

test('without a PMU an event is told as missing, unless the reason of its kind says so', async (t) => {
  const root = tree(t, { [ONLINE]: '0\n' });
  const lacking = (event: string, errno: string, kind = 'event') => ({
    ...{ kind: kind as 'event', pmu: 'cpu', event, errno, lacks: true, cpus: [0] },
  });
  const TSC = [{ kind: 'event', pmu: 'msr', cpu: 0, names: ['tsc'] }] as const;
  const missing = async (groups: Parameters<typeof acquiring>[2], unopened: readonly ReturnType<typeof lacking>[]) => {
    const none = { reason: 'no_pmu', why: 'no counters', remedy: '' } as const;
    const verdicts = { ENOENT: none, NO_EVENT: { reason: 'no_event', why: 'no such', remedy: '' } as const };
    const { acquired, next } = acquiring(t, root, groups, { cpus: [0], unopened, verdicts });
    for (const i of groups.keys()) next(i, 1, 1, 1);
    const argv = ['--collector.perf.events=cycles,msr/tsc/', '--collector.perf.disable-cache-profilers'];
    const { text } = await prepared(perf, { root, acquired, argv })();
    return [...text.matchAll(/^node_perf_event_missing\{.*event="([^"]+)".* 1$/gm)].map(([, event]) => event);
  };
  const hardware = lacking('CpuCycles', 'ENOENT', 'hardware');
  const [cycles, wrong] = [lacking('cycles', 'ENOENT'), lacking('event=1', 'NO_EVENT')];
  assert.deepEqual(await missing(TSC, [hardware, cycles]), ['cycles']);
  assert.deepEqual(await missing(TSC, [hardware, wrong]), ['event=1']);
  assert.deepEqual(await missing([], [hardware, wrong, cycles]), ['cycles', 'event=1']);
  assert.deepEqual(await missing([], [hardware, cycles]), []);
});

test('a CPU that goes offline stops being told, and so it stays when it is back: nothing can reopen it', async (t) => {
  const root = tree(t, { [ONLINE]: '0-1\n' });
  const { acquired, next } = acquiring(t, root, PAIR);
  const warnings: string[] = [];
  const log = { ...silent, warn: (message: string) => void warnings.push(message), with: () => log };
  const again = prepared(perf, { root, acquired, argv: softwareOnly, log });
  const step = async (online: string, now: number) => {
    writeFileSync(join(root, ONLINE), online);
    next(0, now, now, now);
    next(1, now, now, now);
    const { text, error } = await again();
    assert.equal(error, undefined);
    return text;
  };
  assert.equal(switches(await step('0-1', 10)).length, 2);
  const alone = await step('0', 20);
  assert.deepEqual(switches(alone), ['node_perf_context_switches_total{cpu="0"} 20']);
  assert.doesNotMatch(alone, /cpu="1"/);
  const back = await step('0-1', 30);
  assert.deepEqual(switches(back), ['node_perf_context_switches_total{cpu="0"} 30']);
  assert.match(back, /^node_perf_cpu_covered\{cpu="1"\} 0$/m);
  await step('0-1', 40);
  assert.deepEqual(warnings, [
    'CPUs went offline, their counters end',
    'CPUs came online whose counters a sealed process cannot open: 1',
  ]);
});

for (const [why, record1] of [
  ['time that stands still', [10, 10, 10]],
  ['a group without its members', undefined],
] as const)
  test(`a CPU that went and came between two scrapes is told by ${why}`, async (t) => {
    const root = tree(t, { [ONLINE]: '0-1\n' });
    const { acquired, next } = acquiring(t, root, PAIR);
    const again = prepared(perf, { root, acquired, argv: softwareOnly });
    next(0, 10, 10, 10);
    next(1, 10, 10, 10);
    assert.equal(switches((await again()).text).length, 2);
    next(0, 20, 20, 20);
    if (record1 !== undefined) next(1, ...record1);
    const { text, success } = await again();
    assert.ok(success);
    assert.deepEqual(switches(text), ['node_perf_context_switches_total{cpu="0"} 20']);
    assert.match(text, /^node_perf_cpu_covered\{cpu="1"\} 0$/m);
  });

test('a dead group takes the others of its CPU along, though they seem to live', async (t) => {
  const root = tree(t, { [ONLINE]: '0-1\n' });
  const { acquired, next } = acquiring(t, root, [
    { kind: 'hardware', cpu: 1, names: ['CpuCycles'] },
    { kind: 'event', pmu: 'power', cpu: 1, moves: true, names: ['energy-pkg'] },
    { kind: 'software', cpu: 1, names: ['ContextSwitch', 'PageFault'] },
    { kind: 'software', cpu: 0, names: ['ContextSwitch', 'PageFault'] },
  ]);
  const again = prepared(perf, { root, acquired });
  for (const group of [0, 1, 2, 3]) next(group, 10, 10, 10);
  assert.match((await again()).text, /^node_perf_cpucycles_total\{cpu="1"\} 10$/m);
  for (const group of [0, 1, 3]) next(group, 11, 11, 11);
  const { text } = await again();
  assert.doesNotMatch(text, /^node_perf_cpucycles_total/m);
  assert.match(text, /^node_perf_event_total\{cpu="1",event="energy-pkg"/m);
  assert.match(text, /^node_perf_cpu_covered\{cpu="1"\} 0$/m);
});

test('a package whose device has gone ends alone, and is told', async (t) => {
  const root = tree(t, { [ONLINE]: '0\n' });
  const { acquired, next } = acquiring(t, root, [
    { kind: 'event', pmu: 'uncore_x', cpu: 0, ...PACKAGE, names: ['a'] },
    { kind: 'software', cpu: 0, names: ['ContextSwitch'] },
  ]);
  const warnings: unknown[] = [];
  const log = {
    ...silent,
    warn: (message: string, fields?: object) => void warnings.push([message, fields]),
    with: () => log,
  };
  const again = prepared(perf, { root, acquired, argv: [...softwareOnly, '--collector.perf.events=uncore_x/a/'], log });
  for (const group of [0, 1]) next(group, 10, 10, 10);
  assert.match((await again()).text, /^node_perf_uncore_event_total\{.*\} 10$/m);
  next(1, 20, 20, 20);
  const { text } = await again();
  assert.doesNotMatch(text, /^node_perf_uncore_event_total\{/m);
  assert.deepEqual(switches(text), ['node_perf_context_switches_total{cpu="0"} 20']);
  assert.match(text, /^node_perf_cpu_covered\{cpu="0"\} 1$/m);
  next(1, 30, 30, 30);
  await again();
  assert.deepEqual(warnings, [['counters of packages ended', { sources: 'uncore_x on CPU 0' }]]);
});

/** The collector without a registry, with what only the program gives it. */
function running(root: string, argv: readonly string[], parts: { acquired: Acquired; reacquire?: () => Acquired }) {
  const ended: string[] = [];
  const machine = { ...machineOf(createSource(), { root }), end: (why: string) => void ended.push(why) };
  const parsed = parseFlags(argv, Object.values(perf.flags));
  const host = hostOf(perf, { machine, parsed, enabled: [perf], ...parts });
  const collector = { ...perf, setup: (own: typeof host) => perf.setup({ ...own, ...host } as never, perf.metrics) };
  return { again: prepared(collector, { root, argv }), ended };
}

test('on-hotplug=exit ends the process when a CPU comes, and not when one goes', async (t) => {
  const root = tree(t, { [ONLINE]: '0\n' });
  const { acquired, next } = acquiring(t, root, PAIR.slice(0, 1));
  const { again, ended } = running(root, [...softwareOnly, '--collector.perf.on-hotplug=exit'], { acquired });
  next(0, 10, 10, 10);
  await again();
  assert.deepEqual(ended, []);
  writeFileSync(join(root, ONLINE), '0-1');
  next(0, 20, 20, 20);
  await again();
  next(0, 30, 30, 30);
  await again();
  assert.deepEqual(ended, ['CPUs came online whose counters a sealed process cannot open: 1']);
});

test('a process that may opens the counters again, and the sums go on', async (t) => {
  const root = tree(t, { [ONLINE]: '0-1\n' });
  const first = acquiring(t, root, PAIR);
  const second = acquiring(t, root, PAIR);
  let calls = 0;
  const reacquire = (): Acquired => {
    calls += 1;
    second.next(0, 1, 1, 5);
    second.next(1, 1, 1, 5);
    return second.acquired;
  };
  const { again } = running(root, softwareOnly, { acquired: first.acquired, reacquire });
  const step = async (online: string, from: typeof first, now: number) => {
    writeFileSync(join(root, ONLINE), online);
    from.next(0, now, now, now);
    from.next(1, now, now, now);
    return switches((await again()).text).map((line) => line.split(' ').at(-1));
  };
  assert.deepEqual(await step('0-1', first, 10), ['10', '10']);
  assert.deepEqual(await step('0', first, 20), ['20']);
  assert.deepEqual(await step('0-1', first, 30), ['35', '15']);
  assert.deepEqual(await step('0-1', second, 40), ['70', '50']);
  assert.equal(calls, 1);
});

test('a CPU that went while it was opened again is looked for at the next scrape', async (t) => {
  const root = tree(t, { [ONLINE]: '0\n' });
  const first = acquiring(t, root, PAIR.slice(0, 1));
  const without = acquiring(t, root, PAIR.slice(0, 1), {
    cpus: [0, 1],
    unopened: [{ kind: 'software', pmu: 'software', event: 'PageFault', errno: 'ENODEV', lacks: false, cpus: [1] }],
    verdicts: { ENODEV: { reason: 'cpu_offline', why: 'the CPU is offline', remedy: '' } },
  });
  const both = acquiring(t, root, PAIR);
  const answers = [without.acquired, both.acquired];
  const { again } = running(root, softwareOnly, {
    acquired: first.acquired,
    reacquire: () => answers.shift() as Acquired,
  });
  const cpus = async () => switches((await again()).text).length;
  first.next(0, 10, 10, 10);
  assert.equal(await cpus(), 1);
  writeFileSync(join(root, ONLINE), '0-1');
  first.next(0, 20, 20, 20);
  without.next(0, 1, 1, 5);
  assert.equal(await cpus(), 1);
  without.next(0, 2, 2, 6);
  for (const group of [0, 1]) both.next(group, 1, 1, 5);
  assert.equal(await cpus(), 2);
});

test('opening again that fails is tried again', async (t) => {
  const root = tree(t, { [ONLINE]: '0\n' });
  const first = acquiring(t, root, PAIR.slice(0, 1));
  const second = acquiring(t, root, PAIR);
  const answers: Acquired[] = [{ held: [], facts: { fault: 'no /sys here' } }, second.acquired];
  const { again } = running(root, softwareOnly, {
    acquired: first.acquired,
    reacquire: () => answers.shift() as Acquired,
  });
  first.next(0, 10, 10, 10);
  await again();
  writeFileSync(join(root, ONLINE), '0-1');
  first.next(0, 20, 20, 20);
  assert.match(String((await again()).error), /no \/sys here/);
  for (const group of [0, 1]) second.next(group, 1, 1, 5);
  const { text, error } = await again();
  assert.equal(error, undefined);
  assert.deepEqual(
    switches(text).map((line) => line.split(' ').at(-1)),
    ['25', '5'],
  );
});

test('denied: no success, the reason among the metrics and the remedy in the error', async (t) => {
  const root = tree(t, { [ONLINE]: '0\n' });
  const verdict = { reason: 'no_capability', why: 'kernel.perf_event_paranoid is 2', remedy: 'give it CAP_PERFMON' };
  const unopened = [
    { kind: 'hardware', pmu: 'cpu', event: 'CpuCycles', errno: 'EACCES', lacks: false, cpus: [0] },
  ] as const;
  const { acquired } = acquiring(t, root, [], { cpus: [0], unopened, verdicts: { EACCES: verdict as never } });
  const { text, error } = await scrape(perf, {
    root,
    acquired,
    argv: ['--collector.perf.disable-software-profilers', '--collector.perf.disable-cache-profilers'],
  });
  assert.match(String(error), /no counters: kernel.perf_event_paranoid is 2. Remedy: give it CAP_PERFMON/);
  assert.match(text, /^node_perf_available\{kind="hardware"\} 0$/m);
  assert.match(text, /^keyhole_perf_unavailable\{kind="hardware",reason="no_capability"\} 1$/m);
  assert.match(text, /^node_perf_cpu_covered\{cpu="0"\} 0$/m);
});

for (const [why, acquired, expected] of [
  ['nothing was acquired', undefined, /no counters were opened/],
  ['acquiring failed', { held: [], facts: { fault: 'no /sys here' } }, /no \/sys here/],
] as const)
  test(`${why}: no success`, async (t) => {
    const root = tree(t, { [ONLINE]: '0\n' });
    const run = () => scrape(perf, { root, ...(acquired === undefined ? {} : { acquired }) });
    assert.match(String((await run()).error), expected);
  });

test('with every kind disabled there is nothing to do', () => {
  assert.throws(
    () => scrape(perf, { argv: [...softwareOnly, '--collector.perf.disable-software-profilers'] }),
    UsageError,
  );
});

test('acquire never throws', (t) => {
  const root = tree(t, { 'sys/x': '' });
  const machine = machineOf(createSource(), { root });
  const host = hostOf(perf, { machine, parsed: parseFlags([], Object.values(perf.flags)), enabled: [perf] });
  const acquired = perf.acquire?.(host as never);
  assert.deepEqual(acquired?.held, []);
  assert.match(JSON.stringify(acquired?.facts), /ENOENT.*cpu\/online/);
});
