import assert from 'node:assert/strict';
import { test } from 'node:test';
import swap, { parseSwaps } from '../../src/collectors/swap.ts';
import { ParseError } from '../../src/core/errors.ts';
import { golden, scrape, tree } from '../helpers/scrape.ts';

const HEADING = 'Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n';

test('parseSwaps reads an area, and none', () => {
  assert.deepEqual(parseSwaps(`${HEADING}/dev/sda2 partition 1024 12 -2\n`), [
    { device: '/dev/sda2', type: 'partition', sizeKib: 1024, usedKib: 12, priority: -2 },
  ]);
  assert.deepEqual(parseSwaps(HEADING), []);
  assert.deepEqual(parseSwaps(''), []);
});

for (const [why, line] of [
  ['a line that is too short', '/dev/sda2 partition 1024 12\n'],
  ['an empty line', '\n'],
  ['a size that is not a number', '/dev/sda2 partition x 12 -2\n'],
] as const)
  test(`parseSwaps refuses ${why}`, () => assert.throws(() => parseSwaps(HEADING + line), ParseError));

test('swap: the fixtures scrape to the golden text', (t) => golden(t, swap));

test('swap fails where there is no file', async (t) => {
  const { success } = await scrape(swap, { root: tree(t, { 'proc/x': '' }) });
  assert.equal(success, false);
});
