import assert from 'node:assert/strict';
import { test } from 'node:test';
import softnet, { parseSoftnet } from '../../src/collectors/softnet.ts';
import { ParseError } from '../../src/core/errors.ts';
import { golden, scrape, tree } from '../helpers/scrape.ts';

const row = (columns: number): string =>
  `${Array.from({ length: columns }, (_, i) => `0000001${i.toString(16)}`).join(' ')}\n`;

test('softnet: the fixtures scrape to the golden text', (t) => golden(t, softnet));

const shared = { processed: 16, dropped: 17, timesSqueezed: 18, cpuCollision: 24 };
for (const [columns, more] of [
  [9, { receivedRps: 0, flowLimitCount: 0, backlogLength: 0, cpu: 0 }],
  [10, { receivedRps: 25, flowLimitCount: 0, backlogLength: 0, cpu: 0 }],
  [11, { receivedRps: 25, flowLimitCount: 26, backlogLength: 0, cpu: 0 }],
  [12, { receivedRps: 25, flowLimitCount: 26, backlogLength: 0, cpu: 0 }],
  [13, { receivedRps: 25, flowLimitCount: 26, backlogLength: 27, cpu: 28 }],
  [15, { receivedRps: 25, flowLimitCount: 26, backlogLength: 27, cpu: 28 }],
] as const)
  test(`parseSoftnet reads ${columns} columns`, () =>
    assert.deepEqual(parseSoftnet(row(columns)), [{ ...shared, ...more }]));

test('parseSoftnet numbers the rows of older kernels', () => {
  assert.deepEqual(
    parseSoftnet(row(11) + row(11)).map(({ cpu }) => cpu),
    [0, 1],
  );
});

for (const [why, text] of [
  ['too few columns', row(8)],
  ['an empty row', '\n'],
  ['what is not hexadecimal', row(13).replace('11', '1x')],
] as const)
  test(`parseSoftnet refuses ${why}`, () => assert.throws(() => parseSoftnet(text), ParseError));

test('softnet: fails without its file', async (t) => {
  assert.equal((await scrape(softnet, { root: tree(t, {}) })).success, false);
});
