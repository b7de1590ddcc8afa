import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import buddyinfo, { parseBuddyinfo } from '../../src/collectors/buddyinfo.ts';
import { ParseError } from '../../src/core/errors.ts';
import { golden, scrape, tree } from '../helpers/scrape.ts';

test('parseBuddyinfo reads what the kernel writes', () => {
  const zone = fc.record(
    {
      node: fc.nat({ max: 1023 }).map(String),
      zone: fc.constantFrom('DMA', 'DMA32', 'Normal', 'Movable', 'Device'),
      counts: fc.array(fc.nat(), { minLength: 11, maxLength: 11 }),
    },
    { noNullPrototype: true },
  );
  fc.assert(
    fc.property(fc.array(zone), (zones) => {
      const text = zones.map(
        (each) =>
          `Node ${each.node}, zone ${each.zone.padStart(8)} ${each.counts.map((n) => `${n} `.padStart(7)).join('')}\n`,
      );
      assert.deepEqual(parseBuddyinfo(text.join('')), zones);
    }),
  );
});

for (const [why, text] of [
  ['a line without a zone', 'Node 0, zone\n'],
  ['an empty line', 'Node 0, zone DMA 1 2\n\n'],
  ['rows of different lengths', 'Node 0, zone DMA 1 2 3\nNode 0, zone Normal 1 2\n'],
  ['what is not a number', 'Node 0, zone DMA 1 x 3\n'],
] as const)
  test(`parseBuddyinfo refuses ${why}`, () => assert.throws(() => parseBuddyinfo(text), ParseError));

test('buddyinfo: the fixtures scrape to the golden text', (t) => golden(t, buddyinfo));

test('buddyinfo fails where there is no file', async (t) => {
  const { success } = await scrape(buddyinfo, { root: tree(t, { 'proc/x': '' }) });
  assert.equal(success, false);
});
