import assert from 'node:assert/strict';
import { test } from 'node:test';
import udpQueues, { parseUdpQueues } from '../../src/collectors/udp_queues.ts';
import { NoDataError, ParseError } from '../../src/core/errors.ts';
import { golden, scrape, tree } from '../helpers/scrape.ts';

const HEADING = '  sl  local_address rem_address   st tx_queue rx_queue …\n';
const ROW =
  '  331: 00000000:0044 00000000:0000 07 0000000A:00000015 00:00000000 00000000     0        0 18273 2 0000000000000000 0\n';

test('udp_queues: the fixtures scrape to the golden text', (t) => golden(t, udpQueues));

test('parseUdpQueues adds the sockets up', () => {
  assert.deepEqual(parseUdpQueues('x', HEADING + ROW + ROW), { tx: 20, rx: 42 });
  assert.deepEqual(parseUdpQueues('x', HEADING), { tx: 0, rx: 0 });
});

for (const [why, text] of [
  ['an empty row', '\n'],
  ['a row that is too short', ROW.replace(' 18273', '')],
  ['one queue alone', ROW.replace('0000000A:', '')],
  ['three queues', ROW.replace('0000000A:', '0000000A:00000000:')],
  ['what is not hexadecimal', ROW.replace('0000000A', '0000000G')],
] as const)
  test(`parseUdpQueues refuses ${why}`, () => assert.throws(() => parseUdpQueues('x', HEADING + text), ParseError));

test('udp_queues: one kind of sockets is enough, none is no data', async (t) => {
  const { text, success } = await scrape(udpQueues, { root: tree(t, { 'proc/net/udp6': HEADING + ROW }) });
  assert.ok(success);
  assert.deepEqual(text.match(/^node.*$/gm), [
    'node_udp_queues{ip="v6",queue="rx"} 21',
    'node_udp_queues{ip="v6",queue="tx"} 10',
  ]);
  assert.ok((await scrape(udpQueues, { root: tree(t, {}) })).error instanceof NoDataError);
});
