import assert from 'node:assert/strict';
import { test } from 'node:test';
import softirqs, { parseSoftirqs } from '../../src/collectors/softirqs.ts';
import { ParseError } from '../../src/core/errors.ts';
import { golden } from '../helpers/scrape.ts';

test('parseSoftirqs reads known types, by the number of the CPU', () => {
  assert.deepEqual(parseSoftirqs('  CPU0 CPU2\n HI: 1 2\n NEW: 3 4\n RCU: 5 6\n'), {
    cpus: ['0', '2'],
    rows: [
      { type: 'HI', counts: [1, 2] },
      { type: 'RCU', counts: [5, 6] },
    ],
  });
});

for (const [why, text] of [
  ['an empty file', ''],
  ['a file without its heading', ' HI: 1 2\n'],
  ['a row that is too short', ' CPU0 CPU1\n HI: 1\n'],
  ['a row that is too long', ' CPU0\n HI: 1 2\n'],
  ['what is not a number', ' CPU0\n HI: x\n'],
] as const)
  test(`parseSoftirqs refuses ${why}`, () => assert.throws(() => parseSoftirqs(text), ParseError));

test('softirqs: the fixtures scrape to the golden text', (t) => golden(t, softirqs));
