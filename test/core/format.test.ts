import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { escapeHelp, escapeLabel, formatFloat } from '../../src/core/format.ts';

for (const [value, text] of [
  [0, '0'],
  [-0, '0'],
  [1, '1'],
  [-1, '-1'],
  [Number.NaN, 'NaN'],
  [Number.POSITIVE_INFINITY, '+Inf'],
  [Number.NEGATIVE_INFINITY, '-Inf'],
  [102400, '102400'],
  [999999, '999999'],
  [1000000, '1e+06'],
  [1025983, '1.025983e+06'],
  [123456.789, '123456.789'],
  [0.0001, '0.0001'],
  [0.00001, '1e-05'],
  [-0.00001234, '-1.234e-05'],
  [2 ** 63, '9.223372036854776e+18'],
  [2 ** 64, '1.8446744073709552e+19'],
  [1e100, '1e+100'],
  [5e-324, '5e-324'],
  [0.1 + 0.2, '0.30000000000000004'],
] as const)
  test(`formatFloat(${value}) is ${text}`, () => assert.equal(formatFloat(value), text));

test('formatFloat loses nothing and has an exponent just where Go has one', () => {
  fc.assert(
    fc.property(fc.double({ noNaN: true, noDefaultInfinity: true }), (value) => {
      const text = formatFloat(value);
      const magnitude = Math.abs(value);
      // Minus zero prints as zero, as Go has it.
      assert.equal(Number(text), value + 0);
      assert.equal(/e[+-]\d\d+$/.test(text), value !== 0 && (magnitude < 1e-4 || magnitude >= 1e6));
    }),
  );
});

test('escapeLabel escapes backslash, quote and newline, and nothing else', () => {
  assert.equal(escapeLabel('a\\b"c\nd\te\u{1f600}'), 'a\\\\b\\"c\\nd\te\u{1f600}');
});

test('escapeHelp leaves quotes alone', () => assert.equal(escapeHelp('a\\b"c\nd'), 'a\\\\b"c\\nd'));
