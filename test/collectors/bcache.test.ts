import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import bcache, { parsePairs, parseSize } from '../../src/collectors/bcache.ts';
import { ParseError } from '../../src/core/errors.ts';
import { golden, scrape, tree } from '../helpers/scrape.ts';

test('bcache: the fixtures scrape to the golden text', (t) =>
  golden(t, bcache, { argv: ['--collector.bcache.priorityStats'] }));

test('bcache: without the flag there are no priority statistics', async () => {
  assert.doesNotMatch((await scrape(bcache)).text, /priority_stats/);
});

for (const [text, value] of [
  ['0', 0],
  ['546', 546],
  ['1.0k', 1024],
  ['1.10k', 2024],
  ['20.4G', 21894266880],
  ['1.1M', 1150976],
  ['-427.5k', -437748],
  ['2k', 2048],
  ['12.7', 12],
  ['', undefined],
  ['k', undefined],
  ['x', undefined],
  ['1.2.3k', undefined],
  ['1.k', undefined],
  ['5K', undefined],
  ['inf', undefined],
] as const)
  test(`parseSize reads '${text}' as ${value}`, () => assert.equal(parseSize(text), value));

/** As the kernel's bch_hprint() writes a number. */
function humanOf(value: number): string {
  if (value < 1024) return String(value);
  let units = value;
  let rest = 0;
  let power = -1;
  while (units >= 1024) {
    rest = units % 1024;
    units = Math.floor(units / 1024);
    power += 1;
  }
  return `${units}.${Math.floor((rest * 10) / 1024)}${'kMGTPEZY'[power]}`;
}

test('parseSize undoes what the kernel writes, as far as that has digits', () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 2 ** 40 }), (value) => {
      const parsed = parseSize(humanOf(value)) as number;
      assert.ok(parsed <= value && value - parsed <= value * 0.5 + 1, `${humanOf(value)} as ${parsed}`);
      assert.equal(parseSize(`-${humanOf(value)}`), parsed === 0 ? -0 : -parsed);
    }),
  );
});

test('parsePairs keeps what follows the first colon', () => {
  assert.deepEqual(
    [...parsePairs('rate:\t\t1.1M/sec\nnext io:\t17ms\na: b: c\nnothing\n')],
    [
      ['rate', '1.1M/sec'],
      ['next io', '17ms'],
      ['a', 'b: c'],
    ],
  );
});

const RATE = 'rate:\t4.0k/sec\ndirty:\t0\ntarget:\t0\nproportional:\t0\nintegral:\t0\nchange:\t0/sec\nnext io:\t0ms\n';
const AT = 'sys/fs/bcache/a-1';

test('without bcache nothing is told', async (t) => {
  const { text, success } = await scrape(bcache, { root: tree(t, { 'sys/fs/bcache/register': '' }) });
  assert.deepEqual([text, success], ['', true]);
});

test('what is absent counts as zero; reads ahead only where there are any', async (t) => {
  const { text, success } = await scrape(bcache, { root: tree(t, { [`${AT}/bdev3/writeback_rate_debug`]: RATE }) });
  assert.ok(success);
  assert.match(text, /node_bcache_tree_depth\{uuid="a-1"\} 0\n/);
  assert.match(text, /node_bcache_writeback_rate\{backing_device="bdev3",uuid="a-1"\} 4096\n/);
  assert.doesNotMatch(text, /readaheads/);
});

test('before Linux 4.15 the writeback had no integral part: it is 0', async (t) => {
  const old = RATE.replace('integral', 'derivative').replace('target:\t0', 'target:\t1.0k');
  const { text, success } = await scrape(bcache, { root: tree(t, { [`${AT}/bdev0/writeback_rate_debug`]: old }) });
  assert.ok(success);
  assert.match(text, /node_bcache_dirty_target_bytes\{.*\} 1024\n/);
  assert.match(text, /node_bcache_writeback_rate_integral_term\{.*\} 0\n/);
});

for (const [why, files] of [
  ['an empty value', { [`${AT}/congested`]: '\n' }],
  ['a value that is no number', { [`${AT}/bdev0/writeback_rate_debug`]: RATE, [`${AT}/bdev0/dirty_data`]: '1x\n' }],
  ['no debug file of the writeback', { [`${AT}/bdev0/dirty_data`]: '1\n' }],
  ['a line without its number', { [`${AT}/bdev0/writeback_rate_debug`]: 'rate:\n' }],
  ['no priority statistics though they are asked for', { [`${AT}/cache0/written`]: '1\n' }],
] as const)
  test(`bcache fails with ${why}`, async (t) => {
    const argv = ['--collector.bcache.priorityStats'];
    const { error } = await scrape(bcache, { root: tree(t, files), argv });
    assert.ok(error instanceof ParseError || /ENOENT/.test(String(error)), String(error));
  });
