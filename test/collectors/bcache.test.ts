import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import bcache, { takeSize } from '../../src/collectors/bcache.ts';
import { testFile } from '../helpers/odd.ts';
import { golden, scrape, tree } from '../helpers/scrape.ts';

test('bcache: the fixtures scrape to the golden text', (t) =>
  golden(t, bcache, { argv: ['--collector.bcache.priorityStats'] }));

test('bcache: without the flag there are no priority statistics', async () => {
  assert.doesNotMatch((await scrape(bcache)).text, /priority_stats/);
});

const into = new Float64Array(1);

/** The number that a text is; `undefined` where it is none. */
const taken = (text: string): number | undefined =>
  takeSize(Buffer.from(text), 0, text.length, into, 0) === text.length ? into[0] : undefined;

for (const [text, value] of [
  ['0', 0],
  ['546', 546],
  ['1.0k', 1024],
  ['1.10k', 2024],
  ['20.4G', 21894266880],
  ['1.1M', 1150976],
  ['-427.5k', -437748],
  ['2k', 2048],
  ['1.0k/sec', 1024],
  ['99%', 99],
  ['1 k', undefined],
  ['7/min', undefined],
  ['1.', undefined],
  ['12.7', 12],
  ['', undefined],
  ['k', undefined],
  ['x', undefined],
  ['1.2.3k', undefined],
  ['1.k', undefined],
  ['5K', undefined],
  ['inf', undefined],
] as const)
  test(`takeSize takes '${text}' for ${value}`, () => assert.equal(taken(text), value));

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

test('takeSize undoes what the kernel writes, as far as that has digits', () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 2 ** 40 }), (value) => {
      const parsed = taken(humanOf(value)) as number;
      assert.ok(parsed <= value && value - parsed <= value * 0.5 + 1, `${humanOf(value)} as ${parsed}`);
      assert.equal(taken(`-${humanOf(value)}`), parsed === 0 ? -0 : -parsed);
    }),
  );
});

const RATE = 'rate:\t4.0k/sec\ndirty:\t0\ntarget:\t0\nproportional:\t0\nintegral:\t0\nchange:\t0/sec\nnext io:\t0ms\n';
const AT = 'sys/fs/bcache/a-1';

test('without bcache nothing is told', async (t) => {
  const { text, success } = await scrape(bcache, { root: tree(t, { 'sys/fs/bcache/register': '' }) });
  assert.deepEqual([text, success], ['', true]);
});

test('what is absent is left out; reads ahead too where there are none', async (t) => {
  const files = { [`${AT}/bdev3/writeback_rate_debug`]: RATE, [`${AT}/bdev3/stats_total/cache_readaheads`]: '0\n' };
  const { text, success } = await scrape(bcache, { root: tree(t, files) });
  assert.ok(success);
  assert.doesNotMatch(text, /tree_depth|readaheads/);
  assert.match(text, /node_bcache_writeback_rate\{backing_device="bdev3",uuid="a-1"\} 4096\n/);
});

const backing = (name: string, value: number): string =>
  `node_bcache_${name}{backing_device="bdev0",uuid="a-1"} ${value}`;
const writeback = (rate?: number): string[] => [
  backing('dirty_target_bytes', 0),
  backing('writeback_change', 0),
  ...(rate === undefined ? [] : [backing('writeback_rate', rate)]),
  backing('writeback_rate_integral_term', 0),
  backing('writeback_rate_proportional_term', 0),
];

testFile(bcache, `${AT}/bdev0/writeback_rate_debug`, [
  ['what the kernel writes', RATE, writeback(4096)],
  ['no integral part, before Linux 4.15: it is 0', RATE.replace('integral', 'derivative'), writeback(4096)],
  ['a line without its number', RATE.replace('4.0k/sec', ''), writeback(), 'rate:\t'],
  ['what is no number', RATE.replace('4.0k', '4.0x'), writeback(), 'rate:\t4.0x/sec'],
]);

testFile(
  bcache,
  `${AT}/bdev0/dirty_data`,
  [
    ['a number', '1.0k\n', [backing('dirty_data_bytes', 1024)]],
    ['no value', '\n', []],
    ['what is no number', '1x\n', [], '1x'],
  ],
  { argv: ['--collector.bcache.priorityStats'] },
);

testFile(
  bcache,
  `${AT}/cache0/priority_stats`,
  [
    [
      'shares',
      'Unused:\t\t99%\nMetadata:\t1%\nSectors per Q:\t64\n',
      [
        'node_bcache_priority_stats_metadata_percent{cache_device="cache0",uuid="a-1"} 1',
        'node_bcache_priority_stats_unused_percent{cache_device="cache0",uuid="a-1"} 99',
      ],
    ],
  ],
  { argv: ['--collector.bcache.priorityStats'] },
);
