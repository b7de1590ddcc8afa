import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import meminfo from '../../src/collectors/meminfo.ts';
import { formatFloat } from '../../src/core/format.ts';
import { samplesIn, testFile } from '../helpers/odd.ts';
import { golden, scrape, tree } from '../helpers/scrape.ts';

test('meminfo: the fixtures scrape to the golden text', (t) => golden(t, meminfo));

const FREE = 'MemFree: 2 kB\n';
const FREE_SAMPLE = 'node_memory_MemFree_bytes 2048';

testFile(meminfo, 'proc/meminfo', [
  ['kB', 'MemTotal: 16229384 kB\n', ['node_memory_MemTotal_bytes 1.6618889216e+10']],
  ['a number without a unit', 'HugePages_Free: 12\n', ['node_memory_HugePages_Free 12']],
  ['as many bytes as wrap', 'MemTotal: 18014398509481985 kB\n', ['node_memory_MemTotal_bytes 0']],
  [
    'a count that fell below zero',
    'MemTotal: 18446744073709551612 kB\n',
    ['node_memory_MemTotal_bytes 1.8446744073709552e+19'],
  ],
  ['an empty file', '', [], ''],
  ['an empty line', `\n${FREE}`, [FREE_SAMPLE]],
  ['names that are not exposed', `${FREE}constructor: 1 kB\n`, [FREE_SAMPLE]],
  ['a number that touches a name that is not exposed', `ShadowCallStack:10373888 kB\n${FREE}`, [FREE_SAMPLE]],
  ['what is new', `NewThing: yes\nOther: 5 MB\nThird: 1 kB more\n${FREE}`, [FREE_SAMPLE]],
  ['a name twice', `${FREE}MemFree: 3 kB\n`, [FREE_SAMPLE]],
  ...(
    [
      ['a line with one field', 'MemTotal:'],
      ['a line with four fields', 'MemTotal: 1 kB x'],
      ['another unit', 'MemTotal: 1 MB'],
      ['what is not a number', 'MemTotal: x kB'],
      ['a negative number', 'MemTotal: -1 kB'],
      ['a number with a plus', 'MemTotal: +1 kB'],
      ['a hexadecimal number', 'MemTotal: 0x10 kB'],
      ['a number that touches a name', 'MemTotal:1 kB'],
    ] as const
  ).map(([why, line]) => [why, `${line}\n${FREE}`, [FREE_SAMPLE], line] as const),
]);

test('meminfo gives bytes for whatever kB', async (t) => {
  await fc.assert(
    fc.asyncProperty(fc.maxSafeNat(), async (kib) => {
      const root = tree(t, { 'proc/meminfo': `MemFree: ${`${kib}`.padStart(8)} kB\n` });
      const { text } = await scrape(meminfo, { root });
      assert.deepEqual(samplesIn(text), [`node_memory_MemFree_bytes ${formatFloat(kib * 1024)}`]);
    }),
    { numRuns: 20 },
  );
});

test('meminfo fails where there is no file', async (t) => {
  const { success } = await scrape(meminfo, { root: tree(t, { 'proc/x': '' }) });
  assert.equal(success, false);
});
