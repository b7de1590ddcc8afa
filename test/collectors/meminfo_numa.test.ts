import assert from 'node:assert/strict';
import { test } from 'node:test';
import meminfoNuma, { parseNodeMeminfo, parseNumastat } from '../../src/collectors/meminfo_numa.ts';
import { ParseError } from '../../src/core/errors.ts';
import { golden, scrape, tree } from '../helpers/scrape.ts';

test('parseNodeMeminfo applies the unit and makes names of keys', () => {
  assert.deepEqual(parseNodeMeminfo('Node 3 Active(anon): 2 kB\n\nNode 3 HugePages_Total: 4\n'), [
    { node: '3', key: 'Active_anon', value: 2048 },
    { node: '3', key: 'HugePages_Total', value: 4 },
  ]);
});

for (const [why, text] of [
  ['a line that is too short', 'Node 0 MemTotal:\n'],
  ['another unit', 'Node 0 MemTotal: 1 MB\n'],
  ['a line that is too long', 'Node 0 MemTotal: 1 kB kB\n'],
  ['what is not a number', 'Node 0 MemTotal: x kB\n'],
] as const)
  test(`parseNodeMeminfo refuses ${why}`, () => assert.throws(() => parseNodeMeminfo(text), ParseError));

for (const text of ['numa_hit\n', 'numa_hit 1 2\n', 'numa_hit x\n'])
  test(`parseNumastat refuses ${JSON.stringify(text)}`, () => assert.throws(() => parseNumastat(text), ParseError));

test('meminfo_numa: the fixtures scrape to the golden text', (t) => golden(t, meminfoNuma));

test('meminfo_numa gives nothing, and succeeds, where there are no nodes', async (t) => {
  const { text, success } = await scrape(meminfoNuma, { root: tree(t, { 'sys/devices/system/node/possible': '0\n' }) });
  assert.deepEqual([text, success], ['', true]);
});

test('meminfo_numa fails where a node lacks its numastat', async (t) => {
  const root = tree(t, { 'sys/devices/system/node/node0/meminfo': 'Node 0 MemTotal: 1 kB\n' });
  const { success } = await scrape(meminfoNuma, { root });
  assert.equal(success, false);
});
