import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { test } from 'node:test';
import drbd from '../../src/collectors/drbd.ts';
import { NoDataError } from '../../src/core/errors.ts';
import { testFile } from '../helpers/odd.ts';
import { golden, prepared, scrape, tree } from '../helpers/scrape.ts';

test('drbd: the fixtures scrape to the golden text', (t) => golden(t, drbd));

test('without DRBD there is nothing', async (t) => {
  assert.ok((await scrape(drbd, { root: tree(t, {}) })).error instanceof NoDataError);
});

const HEADING = 'version: 8.4 (api:1/proto:86-101)\n';
const connected = (device: string): string => `node_drbd_connected{device="${device}"} 1`;

testFile(drbd, 'proc/drbd', [
  ['no devices', HEADING, []],
  [
    'two devices',
    `${HEADING} 1: cs:Connected\n    ns:5 x:y:z\n12: cs:WFConnection\n    lo:6\n`,
    [
      connected('drbd1'),
      'node_drbd_connected{device="drbd12"} 0',
      'node_drbd_local_pending{device="drbd12"} 6',
      'node_drbd_network_sent_bytes_total{device="drbd1"} 5120',
    ],
  ],
  ['what belongs to no device', 'cs:Connected\n', [connected('unknown')]],
  ['progress', ' 1: cs:Connected\n\t[=>..] 12.5% (4/8)K\n\tfinish: 0:00:12 ns:x\n', [connected('drbd1')]],
  ...['ns:x', 'ns:-1', 'oos:', 'ro:Primary', 'ds:UpToDate/UpToDate/UpToDate'].map(
    (word) =>
      [word, ` 0: cs:Connected ${word}\n 1: cs:Connected\n`, [connected('drbd1')], ` 0: cs:Connected ${word}`] as const,
  ),
]);

test('drbd follows what is counted without laying it out again', async (t) => {
  const root = tree(t, { 'proc/drbd': ' 1: cs:Connected C r-----\n    ns:5 wo:f\n' });
  const scrapeAgain = prepared(drbd, { root });
  const { layouts } = await scrapeAgain();
  writeFileSync(`${root}/proc/drbd`, ' 1: cs:Connected C r-----\n    ns:123 wo:d\n');
  const again = await scrapeAgain();
  assert.match(again.text, /sent_bytes_total\{device="drbd1"\} 125952/);
  assert.equal(again.layouts, layouts);
});
