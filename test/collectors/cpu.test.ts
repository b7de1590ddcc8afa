import assert from 'node:assert/strict';
import { chmodSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import cpu, { advance } from '../../src/collectors/cpu.ts';
import cpufreq from '../../src/collectors/cpufreq.ts';
import { ParseError } from '../../src/core/errors.ts';
import { silent } from '../../src/core/log.ts';
import { samplesIn, testFile } from '../helpers/odd.ts';
import { golden, prepared, scrape, tree } from '../helpers/scrape.ts';

const SYS = 'sys/devices/system/cpu';
const INFO = [
  '--collector.cpu.info.flags-include=^(aes|avx.?)$',
  '--collector.cpu.info.bugs-include=^spectre_',
  '--collector.cpu.info',
];

const seriesOf = (text: string, name: string): string[] =>
  [...text.matchAll(new RegExp(`^${name}(.*)$`, 'gm'))].map(([, rest]) => rest as string);

/** What is written of a CPU whose times in ticks these are. */
const times = (cpu: string, ...ticks: readonly number[]): string[] => {
  const modes = ['user', 'nice', 'system', 'idle', 'iowait', 'irq', 'softirq', 'steal'];
  const sample = (family: string, mode: string, i: number): string =>
    `node_cpu_${family}_total{cpu="${cpu}",mode="${mode}"} ${(ticks[i] ?? 0) / 100}`;
  return [
    ...['nice', 'user'].map((mode) => sample('guest_seconds', mode, mode === 'user' ? 8 : 9)),
    ...modes.map((mode, i) => sample('seconds', mode, i)).sort(),
  ];
};

testFile(
  cpu,
  'proc/stat',
  [
    [
      'the lines of CPUs, not that of all together',
      'cpu  9 9 9 9\ncpu0 1 2 3 4 5 6 7 8 9 10 11\nintr 5 1\n',
      times('0', 1, 2, 3, 4, 5, 6, 7, 8, 9, 10),
    ],
    ['an old kernel with fewer modes', 'cpu12 1 2 3 4\n', times('12', 1, 2, 3, 4)],
    ...['cpu0', 'cpu0 1 x 3', 'cpu0 -1 2', 'cpu0x 1 2'].map(
      (line) => [`the line ${JSON.stringify(line)}`, `${line}\ncpu1 1 2 3 4\n`, times('1', 1, 2, 3, 4), line] as const,
    ),
  ],
  { files: { [`${SYS}/cpu0/uevent`]: '' } },
);

/** The times that are written of a CPU, after each of these. */
function advanced(...readings: readonly (readonly number[])[]): number[][] {
  const numbers = new Float64Array(10);
  const known = { places: Array.from(numbers.keys()), before: new Float64Array(10) };
  return readings.map((reading) => {
    numbers.fill(0);
    numbers.set(reading);
    advance(numbers, known);
    return [...numbers];
  });
}
const IDLE_FALLS = [10, 10, 10, 1000, 50, 0, 0, 0, 0, 0] as const;

test('advance keeps a time that falls a little, and follows the others', () => {
  assert.deepEqual(advanced(IDLE_FALLS, [11, 9, 12, 701, 49]).at(-1)?.slice(0, 5), [11, 10, 12, 1000, 50]);
});

test('advance begins anew for a CPU whose idle time falls by three seconds', () => {
  assert.deepEqual(advanced(IDLE_FALLS, [1, 1, 1, 700, 5]).at(-1)?.slice(0, 5), [1, 1, 1, 700, 5]);
});

test('advance never lets a time fall, but when it begins anew', () => {
  const ticks = fc.array(fc.nat(2000), { minLength: 10, maxLength: 10 });
  fc.assert(
    fc.property(fc.array(ticks, { minLength: 2, maxLength: 8 }), (readings) => {
      let before: readonly number[] | undefined;
      for (const [i, after] of advanced(...readings).entries()) {
        const reading = readings[i] as readonly number[];
        const last: readonly number[] | undefined = before;
        const isAnew = last === undefined || (last[3] as number) - (reading[3] as number) >= 300;
        const kept = reading.map((value, at) => Math.max(value, last?.[at] ?? 0));
        assert.deepEqual(after, isAnew ? reading : kept);
        before = after;
      }
    }),
  );
});

test('cpu forgets a CPU that went offline', async (t) => {
  const root = tree(t, { 'proc/stat': 'cpu0 10 0 0 10\ncpu1 90 0 0 90\n', [`${SYS}/cpu0/uevent`]: '' });
  const again = prepared(cpu, { root });
  const scraped = async (text: string): Promise<string[]> => {
    writeFileSync(join(root, 'proc/stat'), text);
    return samplesIn((await again()).text).filter((sample) => sample.includes('mode="user"} '));
  };
  await again();
  assert.equal((await scraped('cpu0 11 0 0 11\n')).length, 2);
  assert.ok(
    (await scraped('cpu0 12 0 0 12\ncpu1 1 0 0 1\n')).includes('node_cpu_seconds_total{cpu="1",mode="user"} 0.01'),
  );
});

test('cpu: the fixtures scrape to the golden text', (t) => golden(t, cpu, { argv: INFO, beside: [cpufreq] }));

test('cpu tells the frequency only beside cpufreq, and of flags and bugs only those asked for', async () => {
  const { text } = await scrape(cpu, { argv: ['--collector.cpu.info'] });
  assert.equal(seriesOf(text, 'node_cpu_info').length, 3);
  assert.doesNotMatch(text, /frequency_hertz|flag_info|bug_info/);
});

test('cpu says that a pattern of flags turns its information on', async () => {
  const told: string[] = [];
  const log = { ...silent, with: () => log, info: (message: string) => told.push(message) };
  const { text } = await scrape(cpu, { argv: ['--collector.cpu.info.flags-include=^aes$'], log });
  assert.deepEqual(seriesOf(text, 'node_cpu_flag_info'), ['{flag="aes"} 1']);
  assert.equal(seriesOf(text, 'node_cpu_info').length, 3);
  assert.equal(told.length, 1);
});

test('cpu tells no information and no guests unless asked', async () => {
  const { text, success } = await scrape(cpu, { argv: ['--no-collector.cpu.guest'] });
  assert.ok(success);
  assert.doesNotMatch(text, /node_cpu_info|guest/);
});

const STAT = 'cpu  1 0 0 1\ncpu0 1 0 0 1\n';

test('cpu takes throttles from the first CPU of a core that tells them, whoever it is', async (t) => {
  const place = (cpu: number, packageId: number, core: number) => ({
    [`${SYS}/cpu${cpu}/topology/physical_package_id`]: `${packageId}\n`,
    [`${SYS}/cpu${cpu}/topology/core_id`]: `${core}\n`,
  });
  const root = tree(t, {
    'proc/stat': STAT,
    ...place(0, 0, 0),
    ...place(1, 0, 0),
    [`${SYS}/cpu1/thermal_throttle/core_throttle_count`]: '5\n',
    [`${SYS}/cpu1/thermal_throttle/package_throttle_count`]: '6\n',
    ...place(2, 0, 0),
    [`${SYS}/cpu2/thermal_throttle/core_throttle_count`]: '7\n',
    ...place(3, -1, 0),
    [`${SYS}/cpu3/thermal_throttle/core_throttle_count`]: '8\n',
    ...place(4, 1, 0),
    [`${SYS}/cpu4/thermal_throttle/core_throttle_count`]: '9\n',
  });
  const { text } = await scrape(cpu, { root });
  assert.deepEqual(seriesOf(text, 'node_cpu_core_throttles_total'), [
    '{core="0",package="0"} 5',
    '{core="0",package="1"} 9',
  ]);
  assert.deepEqual(seriesOf(text, 'node_cpu_package_throttles_total'), ['{package="0"} 6']);
});

test('cpu tells who is online only where the first CPU has the file', async (t) => {
  const files = { 'proc/stat': STAT, [`${SYS}/cpu0/uevent`]: '', [`${SYS}/cpu1/online`]: '1\n' };
  const { text, success } = await scrape(cpu, { root: tree(t, files) });
  assert.ok(success);
  assert.doesNotMatch(text, /node_cpu_online/);
});

test('cpu asks the list of all CPUs about one without the file', async (t) => {
  const files = { 'proc/stat': STAT, [`${SYS}/cpu0/online`]: '1\n', [`${SYS}/cpu1/uevent`]: '' };
  const online = async (more: Readonly<Record<string, string>>): Promise<string[]> =>
    seriesOf((await scrape(cpu, { root: tree(t, { ...files, ...more }) })).text, 'node_cpu_online');
  assert.deepEqual(await online({ [`${SYS}/online`]: '0-1\n' }), ['{cpu="0"} 1', '{cpu="1"} 1']);
  assert.deepEqual(await online({ [`${SYS}/online`]: '0\n' }), ['{cpu="0"} 1', '{cpu="1"} 0']);
  assert.deepEqual(
    await online({}),
    ['{cpu="0"} 1'],
    'that nobody says whether it is online does not mean that it is not',
  );
});

test('cpu remembers between scrapes, and sees what changes', async (t) => {
  const root = tree(t, { 'proc/stat': 'cpu0 5 0 0 1000\n', [`${SYS}/cpu0/uevent`]: '', [`${SYS}/isolated`]: '\n' });
  const again = prepared(cpu, { root });
  await again();
  writeFileSync(join(root, 'proc/stat'), 'cpu0 6 0 0 999\n');
  writeFileSync(join(root, `${SYS}/isolated`), '0\n');
  const { text } = await again();
  assert.match(text, /mode="idle"} 10$/m);
  assert.match(text, /mode="user"} 0.06$/m);
  assert.deepEqual(seriesOf(text, 'node_cpu_isolated'), ['{cpu="0"} 1']);
});

test('cpu takes a list that the kernel has not made for an empty one', async (t) => {
  const root = tree(t, { 'proc/stat': STAT, [`${SYS}/cpu0/uevent`]: '', [`${SYS}/isolated`]: '(null)\n' });
  const { text, success } = await scrape(cpu, { root });
  assert.equal(success, true);
  assert.deepEqual(seriesOf(text, 'node_cpu_isolated'), []);
});

test('cpu keeps what it had told before a fault', async (t) => {
  const noFolder = await scrape(cpu, { root: tree(t, { 'proc/stat': STAT }) });
  assert.equal(noFolder.success, false);
  assert.match(noFolder.text, /node_cpu_seconds_total/);
  const badList = await scrape(cpu, { root: tree(t, { 'proc/stat': STAT, [`${SYS}/isolated`]: 'x\n' }) });
  assert.ok(badList.error instanceof ParseError);
  assert.match(badList.text, /node_cpu_seconds_total/);
});

test('cpu passes over a throttle counter that it may not read', { skip: process.getuid?.() === 0 }, async (t) => {
  const counter = `${SYS}/cpu0/thermal_throttle/core_throttle_count`;
  const root = tree(t, {
    'proc/stat': STAT,
    [`${SYS}/cpu0/topology/physical_package_id`]: '0\n',
    [`${SYS}/cpu0/topology/core_id`]: '0\n',
    [counter]: '1\n',
  });
  chmodSync(join(root, counter), 0);
  const { text, success } = await scrape(cpu, { root });
  assert.equal(success, true);
  assert.doesNotMatch(text, /throttles/);
});
