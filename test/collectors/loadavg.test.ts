import assert from 'node:assert/strict';
import { test } from 'node:test';
import loadavg, { parseLoadavg } from '../../src/collectors/loadavg.ts';
import { ParseError } from '../../src/core/errors.ts';
import { golden } from '../helpers/scrape.ts';

test('parseLoadavg reads the three averages', () => {
  assert.deepEqual(parseLoadavg('0.21 0.37 0.39 1/719 19737\n'), { load1: 0.21, load5: 0.37, load15: 0.39 });
});

for (const [why, text] of [
  ['an empty file', ''],
  ['a truncated file', '0.21 0.3'],
  ['what is not a number', '0.21 x 0.39 1/719 19737\n'],
] as const)
  test(`parseLoadavg refuses ${why}`, () => assert.throws(() => parseLoadavg(text), ParseError));

test('loadavg: the fixtures scrape to the golden text', (t) => golden(t, loadavg));
