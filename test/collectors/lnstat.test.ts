import assert from 'node:assert/strict';
import { test } from 'node:test';
import lnstat, { parseLnstat } from '../../src/collectors/lnstat.ts';
import { ParseError } from '../../src/core/errors.ts';
import { golden, scrape, tree } from '../helpers/scrape.ts';

test('lnstat: the fixtures scrape to the golden text', (t) => golden(t, lnstat));

test('parseLnstat reads names and a row for each CPU', () => {
  assert.deepEqual(parseLnstat('x', 'entries\t\tallocs\n0000001f ff\n2\n'), {
    names: ['entries', 'allocs'],
    rows: [[31, 255], [2]],
  });
  assert.deepEqual(parseLnstat('x', ''), { names: [], rows: [] });
});

for (const [why, text] of [
  ['a row longer than the names', 'entries allocs\n1 2 3\n'],
  ['what is not hexadecimal', 'entries\n0x1\n'],
] as const)
  test(`parseLnstat refuses ${why}`, () => assert.throws(() => parseLnstat('x', text), ParseError));

test('lnstat: a missing folder is no fault', async (t) => {
  assert.deepEqual(await scrape(lnstat, { root: tree(t, {}) }), { text: '', success: true, error: undefined });
});
