import assert from 'node:assert/strict';
import { test } from 'node:test';
import sockstat, { parseSockstat } from '../../src/collectors/sockstat.ts';
import { ParseError } from '../../src/core/errors.ts';
import { pageSizeBytes } from '../../src/parse/auxv.ts';
import { golden, scrape, tree } from '../helpers/scrape.ts';

test('sockstat: the fixtures scrape to the golden text', { skip: pageSizeBytes() !== 4096 }, (t) =>
  golden(t, sockstat),
);

test('parseSockstat reads pairs of names and numbers', () => {
  assert.deepEqual(parseSockstat('x', 'sockets: used 9\nTCP: inuse 3 mem 2\n'), [
    { protocol: 'sockets', counts: new Map([['used', 9]]) },
    {
      protocol: 'TCP',
      counts: new Map([
        ['inuse', 3],
        ['mem', 2],
      ]),
    },
  ]);
});

for (const [why, text] of [
  ['an empty line', '\n'],
  ['a label alone', 'TCP:\n'],
  ['a name without a number', 'TCP: inuse 3 mem\n'],
  ['a line without a label', 'TCP inuse 3 mem 2\n'],
  ['what is not a number', 'TCP: inuse many\n'],
] as const)
  test(`parseSockstat refuses ${why}`, () => assert.throws(() => parseSockstat('x', text), ParseError));

test('sockstat: a protocol has sockets in use, be it none; memory is told in pages and bytes', async (t) => {
  const { text } = await scrape(sockstat, { root: tree(t, { 'proc/net/sockstat6': 'TCP6: mem 3\n' }) });
  assert.deepEqual(text.match(/^node.*$/gm), [
    'node_sockstat_TCP6_inuse 0',
    'node_sockstat_TCP6_mem 3',
    `node_sockstat_TCP6_mem_bytes ${3 * pageSizeBytes()}`,
  ]);
});

test('sockstat: missing files are no fault', async (t) => {
  assert.deepEqual(await scrape(sockstat, { root: tree(t, {}) }), { text: '', success: true, error: undefined });
});
