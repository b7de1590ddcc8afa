import assert from 'node:assert/strict';
import { test } from 'node:test';
import conntrack from '../../src/collectors/conntrack.ts';
import { NoDataError } from '../../src/core/errors.ts';
import { samplesIn, testFile } from '../helpers/odd.ts';
import { golden, scrape, tree } from '../helpers/scrape.ts';

const COUNT = 'proc/sys/net/netfilter/nf_conntrack_count';
const MAX = 'proc/sys/net/netfilter/nf_conntrack_max';
const HEADING = 'entries searched found …\n';
const row = (columns: number): string => `${Array.from({ length: columns }, (_, i) => i.toString(16)).join(' ')}\n`;

/** The sums of `rows` rows. */
const sums = (rows: number, searchRestart = 16 * rows): string[] => [
  'node_nf_conntrack_entries 7',
  'node_nf_conntrack_entries_limit 9',
  `node_nf_conntrack_stat_drop ${10 * rows}`,
  `node_nf_conntrack_stat_early_drop ${11 * rows}`,
  `node_nf_conntrack_stat_found ${2 * rows}`,
  `node_nf_conntrack_stat_ignore ${5 * rows}`,
  `node_nf_conntrack_stat_insert ${8 * rows}`,
  `node_nf_conntrack_stat_insert_failed ${9 * rows}`,
  `node_nf_conntrack_stat_invalid ${4 * rows}`,
  `node_nf_conntrack_stat_search_restart ${searchRestart}`,
];

test('conntrack: the fixtures scrape to the golden text', (t) => golden(t, conntrack));

testFile(
  conntrack,
  'proc/net/stat/nf_conntrack',
  [
    ['the sum of all CPUs', HEADING + row(17) + row(17), sums(2)],
    ['no restarts of searches', HEADING + row(16) + row(16), sums(2, 0)],
    ['a heading alone', HEADING, sums(0)],
    ['too few columns', HEADING + row(17) + row(15), sums(1), row(15).trim()],
    ['more columns than we know', HEADING + row(17) + row(18), sums(2)],
    ['rows that cannot be read', HEADING + row(15), sums(0).slice(0, 2), row(15).trim()],
    ['an empty row', `${HEADING}\n${row(17)}`, sums(1)],
    [
      'what is not hexadecimal',
      HEADING + row(17).replace('f', 'x') + row(17),
      sums(1),
      row(17).replace('f', 'x').trim(),
    ],
  ],
  { files: { [COUNT]: '7\n', [MAX]: '9\n' } },
);

for (const [why, files, samples] of [
  ['nothing', {}, []],
  ['a count alone', { [COUNT]: '7\n' }, ['node_nf_conntrack_entries 7']],
] as const)
  test(`conntrack: ${why} is no data, but what was read is written`, async (t) => {
    const { error, text } = await scrape(conntrack, { root: tree(t, files) });
    assert.ok(error instanceof NoDataError);
    assert.deepEqual(samplesIn(text), samples);
  });

test('conntrack: a kernel may have no statistics', async (t) => {
  const { success, text } = await scrape(conntrack, { root: tree(t, { [COUNT]: '7\n', [MAX]: '9\n' }) });
  assert.ok(success);
  assert.deepEqual(samplesIn(text), ['node_nf_conntrack_entries 7', 'node_nf_conntrack_entries_limit 9']);
});

testFile(
  conntrack,
  COUNT,
  [
    ['a count that is no number', 'many\n', ['node_nf_conntrack_entries_limit 9'], 'many'],
    ['no count', '', ['node_nf_conntrack_entries_limit 9'], ''],
  ],
  { files: { [MAX]: '9\n' } },
);
