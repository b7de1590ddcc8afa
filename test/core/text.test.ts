import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { autoBigint, autoInt, bigint, fields, float, int, lines, uint } from '../../src/core/text.ts';

test('lines drops the end of the last line, and carriage returns', () => {
  assert.deepEqual(lines('a\nb\n'), ['a', 'b']);
  assert.deepEqual(lines('a\r\n\r\nb'), ['a', '', 'b']);
  assert.deepEqual(lines(''), []);
});

test('fields splits at runs of blanks and tabs', () => {
  assert.deepEqual(fields('  a \t b  '), ['a', 'b']);
  assert.deepEqual(fields('   '), []);
});

const numbers: readonly (readonly [(text: string | undefined) => unknown, string | undefined, unknown])[] = [
  [uint, '18446744073709551615', 18446744073709552000],
  [uint, '+1', undefined],
  [uint, '-1', undefined],
  [uint, '', undefined],
  [uint, '1 ', undefined],
  [uint, undefined, undefined],
  [int, '-125', -125],
  [int, '1.5', undefined],
  [bigint, '-9223372036854775808', -9223372036854775808n],
  [bigint, '0x10', undefined],
  [autoInt, '0x1f', 31],
  [autoInt, '-0x1f', -31],
  [autoInt, '010', 8],
  [autoInt, '0o17', 15],
  [autoInt, '0b101', 5],
  [autoInt, '1_000', 1000],
  [autoInt, '08', undefined],
  [autoInt, '0', 0],
  [autoInt, '_1', undefined],
  [autoInt, '', undefined],
  [autoBigint, '18446744073709551615', 18446744073709551615n],
  [float, '1e3', 1000],
  [float, '.5', 0.5],
  [float, '+Inf', Number.POSITIVE_INFINITY],
  [float, '-infinity', Number.NEGATIVE_INFINITY],
  [float, 'NaN', Number.NaN],
  [float, '+nan', undefined],
  [float, '-NaN', undefined],
  [float, '', undefined],
  [float, '1e', undefined],
  [float, '0x', undefined],
];
for (const [parse, text, want] of numbers)
  test(`${parse.name}(${JSON.stringify(text)}) is ${want}`, () => assert.deepEqual(parse(text), want));

test('what uint and int take, they take exactly', () => {
  fc.assert(fc.property(fc.maxSafeInteger(), (value) => int(String(value)) === value));
  fc.assert(fc.property(fc.maxSafeNat(), (value) => uint(String(value)) === value && autoInt(String(value)) === value));
});
