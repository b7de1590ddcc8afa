import assert from 'node:assert/strict';
import { test } from 'node:test';
import drbd, { parseDrbd } from '../../src/collectors/drbd.ts';
import { NoDataError, ParseError } from '../../src/core/errors.ts';
import { golden, scrape, tree } from '../helpers/scrape.ts';

test('drbd: the fixtures scrape to the golden text', (t) => golden(t, drbd));

test('parseDrbd gives the words of each device', () => {
  const devices = parseDrbd('version: 8.4 (api:1/proto:86-101)\n 1: cs:Connected\n    ns:5 x:y:z\n12: ns:6\n');
  assert.deepEqual(
    devices.map(({ name, values }) => [name, Object.fromEntries(values)]),
    [
      ['unknown', { version: '' }],
      ['drbd1', { cs: 'Connected', ns: '5' }],
      ['drbd12', { ns: '6' }],
    ],
  );
});

test('without DRBD there is nothing', async (t) => {
  assert.ok((await scrape(drbd, { root: tree(t, {}) })).error instanceof NoDataError);
});

for (const word of ['ns:x', 'ns:-1', 'ro:Primary', 'ds:UpToDate/UpToDate/UpToDate', 'oos:'])
  test(`drbd refuses ${word}`, async (t) => {
    const { error } = await scrape(drbd, { root: tree(t, { 'proc/drbd': ` 0: cs:Connected ${word}\n` }) });
    assert.ok(error instanceof ParseError);
  });
