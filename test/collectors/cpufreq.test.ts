import assert from 'node:assert/strict';
import { test } from 'node:test';
import cpu from '../../src/collectors/cpu.ts';
import cpufreq, { parseFrequency } from '../../src/collectors/cpufreq.ts';
import { ParseError } from '../../src/core/errors.ts';
import type { Tree } from '../../src/core/host.ts';
import { golden, scrape, tree } from '../helpers/scrape.ts';

const SYS = 'sys/devices/system/cpu';
const governed = (governor: string, available: string) => ({
  [`${SYS}/offline`]: '\n',
  [`${SYS}/cpu0/cpufreq/scaling_governor`]: governor,
  [`${SYS}/cpu0/cpufreq/scaling_available_governors`]: available,
});

test('parseFrequency tells a number from the unknown and from nonsense', () => {
  assert.equal(parseFrequency('1800000', 'f'), 1800000);
  assert.equal(parseFrequency('<unknown>', 'f'), undefined);
  for (const text of ['', '-1', '1.5', 'fast']) assert.throws(() => parseFrequency(text, 'f'), ParseError);
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
  const refusing = (fs: Tree): Tree => ({
    ...fs,
    read(path) {
      if (path.endsWith('cpuinfo_avg_freq')) throw Object.assign(new Error('EAGAIN: try again'), { code: 'EAGAIN' });
      return fs.read(path);
    },
  });
  const { text, success } = await scrape(cpufreq, { root, wrap: refusing });
  assert.equal(success, true);
  assert.doesNotMatch(text, /avg/);
  assert.match(text, /^node_cpu_scaling_frequency_hertz\{cpu="0"\} 7000$/m);
});

for (const [why, files] of [
  ['the list of CPUs offline', { [`${SYS}/cpu0/uevent`]: '' }],
  ['any CPU', { [`${SYS}/offline`]: '\n' }],
  ['the governor', { [`${SYS}/offline`]: '\n', [`${SYS}/cpu0/cpufreq/scaling_available_governors`]: 'a\n' }],
  ['the governors to choose from', { [`${SYS}/offline`]: '\n', [`${SYS}/cpu0/cpufreq/scaling_governor`]: 'a\n' }],
] as const)
  test(`cpufreq fails without ${why}`, async (t) => {
    assert.equal((await scrape(cpufreq, { root: tree(t, files) })).success, false);
  });

test('cpufreq tells of the other CPUs where one cannot be told', async (t) => {
  const root = tree(t, { ...governed('a\n', 'a b\n'), [`${SYS}/cpu1/cpufreq/scaling_cur_freq`]: '1\n' });
  const { text, success } = await scrape(cpufreq, { root });
  assert.equal(success, false);
  assert.match(text, /^node_cpu_scaling_governor\{cpu="0",governor="b"\} 0$/m);
});
