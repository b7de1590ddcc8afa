import assert from 'node:assert/strict';
import { test } from 'node:test';
import cpu from '../../src/collectors/cpu.ts';
import cpufreq from '../../src/collectors/cpufreq.ts';
import { ParseError } from '../../src/core/errors.ts';
import { alteredDisk, refusal } from '../helpers/disk.ts';
import { samplesIn } from '../helpers/odd.ts';
import { golden, prepared, scrape, tree } from '../helpers/scrape.ts';

const SYS = 'sys/devices/system/cpu';
const governed = (governor: string, available: string) => ({
  [`${SYS}/offline`]: '\n',
  [`${SYS}/cpu0/cpufreq/scaling_governor`]: governor,
  [`${SYS}/cpu0/cpufreq/scaling_available_governors`]: available,
});

test('cpufreq: a frequency that is unknown is none; text that is none costs itself alone', async (t) => {
  const policy = `${SYS}/cpu0/cpufreq`;
  const files = {
    ...governed('a\n', 'a\n'),
    [`${policy}/cpuinfo_cur_freq`]: '<unknown>\n',
    [`${policy}/scaling_cur_freq`]: '1800000\n',
  };
  const usual = await prepared(cpufreq, { root: tree(t, files) })();
  const expected = [
    'node_cpu_scaling_frequency_hertz{cpu="0"} 1.8e+09',
    'node_cpu_scaling_governor{cpu="0",governor="a"} 1',
  ];
  assert.deepEqual([usual.success, samplesIn(usual.text)], [true, expected]);
  for (const odd of ['fast', '1 2', '0x10']) {
    const root = tree(t, { ...files, [`${policy}/scaling_max_freq`]: `${odd}\n` });
    const { text, error, faultsTotal } = await prepared(cpufreq, { root })();
    assert.deepEqual([samplesIn(text), faultsTotal], [expected, 1], odd);
    assert.equal((error as Error).message, new ParseError(`${root}/${policy}/scaling_max_freq`, odd).message);
  }
});

test('cpufreq: the fixtures scrape to the golden text', (t) => golden(t, cpufreq));

test('cpufreq and cpu share a family, without a conflict', async () => {
  const argv = ['--collector.cpu.info'];
  const { text } = await scrape(cpu, { argv, beside: [cpufreq] });
  const help = /^# HELP node_cpu_frequency_hertz .*$/m;
  assert.deepEqual(help.exec(text)?.[0], help.exec((await scrape(cpufreq)).text)?.[0]);
});

test('cpufreq passes over CPUs that are offline or have no policy', async (t) => {
  const root = tree(t, {
    ...governed('', ''),
    [`${SYS}/offline`]: '1\n',
    [`${SYS}/cpu1/cpufreq/scaling_cur_freq`]: '1\n',
    [`${SYS}/cpu2/uevent`]: '',
    [`${SYS}/cpu10/uevent`]: '',
  });
  assert.deepEqual(await scrape(cpufreq, { root }), { text: '', success: true, error: undefined });
});

test('cpufreq tells nothing of governors where none is in charge', async (t) => {
  assert.equal((await scrape(cpufreq, { root: tree(t, governed('\n', 'a b\n')) })).text, '');
});

test('cpufreq passes over a frequency that the kernel refuses to tell', async (t) => {
  const root = tree(t, {
    ...governed('a\n', 'a\n'),
    [`${SYS}/cpu0/cpufreq/cpuinfo_avg_freq`]: '5\n',
    [`${SYS}/cpu0/cpufreq/scaling_cur_freq`]: '7\n',
  });
  const disk = alteredDisk({
    bytes(path, real) {
      if (path.endsWith('cpuinfo_avg_freq')) throw refusal('EAGAIN', path);
      return real;
    },
  });
  const { text, success } = await scrape(cpufreq, { root, disk });
  assert.equal(success, true);
  assert.doesNotMatch(text, /avg/);
  assert.match(text, /^node_cpu_scaling_frequency_hertz\{cpu="0"\} 7000$/m);
});

const FREQUENCY = { [`${SYS}/cpu0/cpufreq/scaling_cur_freq`]: '7\n' };
const frequency = 'node_cpu_scaling_frequency_hertz{cpu="0"} 7000';
const AVAILABLE = { [`${SYS}/cpu0/cpufreq/scaling_available_governors`]: 'a\n' };

for (const [why, files, samples] of [
  ['the list of CPUs offline', { ...FREQUENCY, [`${SYS}/cpu1/uevent`]: '' }, [frequency]],
  ['any CPU', { [`${SYS}/offline`]: '\n' }, []],
  ['the governor', { ...FREQUENCY, ...AVAILABLE }, [frequency]],
  ['the governors to choose from', { ...FREQUENCY, [`${SYS}/cpu0/cpufreq/scaling_governor`]: 'a\n' }, [frequency]],
] as const)
  test(`cpufreq writes what there is without ${why}`, async (t) => {
    const { text, success } = await scrape(cpufreq, { root: tree(t, files) });
    assert.deepEqual([success, samplesIn(text)], [true, samples]);
  });

test('cpufreq fails without the folder of CPUs', async (t) => {
  assert.equal((await scrape(cpufreq, { root: tree(t, {}) })).success, false);
});

test('cpufreq: a CPU that cannot be read takes nothing from the others', async (t) => {
  const odd = { [`${SYS}/cpu1/cpufreq/scaling_cur_freq`]: 'x\n' };
  const { text, error } = await scrape(cpufreq, { root: tree(t, { ...governed('a\n', 'a b\n'), ...odd }) });
  assert.ok(error instanceof ParseError);
  assert.match(text, /^node_cpu_scaling_governor\{cpu="0",governor="b"\} 0$/m);
});
