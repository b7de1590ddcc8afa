import assert from 'node:assert/strict';
import { test } from 'node:test';
import conntrack, { parseConntrackStatistics } from '../../src/collectors/conntrack.ts';
import { NoDataError, ParseError } from '../../src/core/errors.ts';
import { golden, scrape, tree } from '../helpers/scrape.ts';

const COUNT = 'proc/sys/net/netfilter/nf_conntrack_count';
const MAX = 'proc/sys/net/netfilter/nf_conntrack_max';
const HEADING = 'entries searched found …\n';
const row = (columns: number): string => `${Array.from({ length: columns }, (_, i) => i.toString(16)).join(' ')}\n`;

test('conntrack: the fixtures scrape to the golden text', (t) => golden(t, conntrack));

test('parseConntrackStatistics adds the CPUs up', () => {
  const sums = { found: 4, invalid: 8, ignore: 10, insert: 16, insertFailed: 18, drop: 20, earlyDrop: 22 };
  assert.deepEqual(parseConntrackStatistics(HEADING + row(17) + row(17)), { ...sums, searchRestart: 32 });
  assert.deepEqual(parseConntrackStatistics(HEADING + row(16) + row(16)), { ...sums, searchRestart: 0 });
});

for (const [why, text] of [
  ['too few columns', row(15)],
  ['too many columns', row(18)],
  ['an empty row', '\n'],
  ['what is not hexadecimal', row(17).replace('f', 'x')],
] as const)
  test(`parseConntrackStatistics refuses ${why}`, () =>
    assert.throws(() => parseConntrackStatistics(HEADING + text), ParseError));

for (const [why, files, text] of [
  ['nothing', {}, ''],
  ['a count alone', { [COUNT]: '7\n' }, 'node_nf_conntrack_entries 7\n'],
  [
    'no statistics',
    { [COUNT]: '7\n', [MAX]: '9\n' },
    'node_nf_conntrack_entries 7\nnode_nf_conntrack_entries_limit 9\n',
  ],
] as const)
  test(`conntrack: ${why} is no data, but what was read is told`, async (t) => {
    const scraped = await scrape(conntrack, { root: tree(t, files) });
    assert.ok(scraped.error instanceof NoDataError);
    assert.equal(scraped.text.replaceAll(/^#.*\n/gm, ''), text);
  });

test('conntrack: a count that is no number is a fault', async (t) => {
  const { error } = await scrape(conntrack, { root: tree(t, { [COUNT]: 'many\n' }) });
  assert.ok(error instanceof ParseError);
});
