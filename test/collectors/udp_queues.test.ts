import assert from 'node:assert/strict';
import { test } from 'node:test';
import udpQueues from '../../src/collectors/udp_queues.ts';
import { errnoOf, NoDataError } from '../../src/core/errors.ts';
import { alteredDisk, refusal } from '../helpers/disk.ts';
import { testFile } from '../helpers/odd.ts';
import { golden, scrape, tree } from '../helpers/scrape.ts';

const HEADING = '  sl  local_address rem_address   st tx_queue rx_queue …\n';
const ROW =
  '  331: 00000000:0044 00000000:0000 07 0000000A:00000015 00:00000000 00000000     0        0 18273 2 0000000000000000 0\n';
const queues = (rx: number, tx: number, ip = 'v4'): string[] => [
  `node_udp_queues{ip="${ip}",queue="rx"} ${rx}`,
  `node_udp_queues{ip="${ip}",queue="tx"} ${tx}`,
];

test('udp_queues: the fixtures scrape to the golden text', (t) => golden(t, udpQueues));

testFile(udpQueues, 'proc/net/udp', [
  ['the sum of all sockets', HEADING + ROW + ROW, queues(42, 20)],
  ['a heading alone', HEADING, queues(0, 0)],
  ['blank lines', `\n${HEADING}\n${ROW}  \n`, queues(21, 10)],
  ['an empty file', '', [], ''],
  ['rows that are odd', `${HEADING}a\n${ROW}b\n`, queues(21, 10), ['a', 'b']],
  ...(
    [
      ['a row that is too short', ROW.replace(' 18273', '')],
      ['one queue alone', ROW.replace('0000000A:', '')],
      ['three queues', ROW.replace('0000000A:', '0000000A:00000000:')],
      ['a queue without a number', ROW.replace('0000000A:', ':')],
      ['what is not hexadecimal', ROW.replace('0000000A', '0000000G')],
    ] as const
  ).map(([why, row]) => [why, HEADING + row + ROW, queues(21, 10), row.slice(0, -1)] as const),
]);

testFile(udpQueues, 'proc/net/udp6', [['one kind of sockets is enough', HEADING + ROW, queues(21, 10, 'v6')]]);

test('udp_queues: files that may not be read are not sockets that are not there', async () => {
  const { error } = await scrape(udpQueues, {
    disk: alteredDisk({
      bytes: (path) => {
        throw refusal('EACCES', path);
      },
    }),
  });
  assert.equal(errnoOf(error), 'EACCES');
});

test('udp_queues: without both kinds of sockets there is no data', async (t) => {
  assert.ok((await scrape(udpQueues, { root: tree(t, {}) })).error instanceof NoDataError);
});
