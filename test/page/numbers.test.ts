import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { formatFloat } from '../../src/core/format.ts';
import { NUMBER_BYTES_MAX, writeNumber } from '../../src/page/numbers.ts';

const bytes = new Uint8Array(NUMBER_BYTES_MAX + 2);

function written(value: number): string {
  bytes.fill(0x23);
  const end = writeNumber(bytes, 1, value);
  assert.ok(end - 1 <= NUMBER_BYTES_MAX);
  assert.deepEqual([bytes[0], bytes[end]], [0x23, 0x23], 'nothing beside it is written');
  return Buffer.from(bytes.subarray(1, end)).toString('latin1');
}

const bits = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }).map((word) => {
  const view = new DataView(new ArrayBuffer(8));
  view.setBigUint64(0, word);
  return view.getFloat64(0);
});

for (const [what, number] of [
  ['any double', fc.double()],
  ['any 64 bits', bits],
  ['whole numbers', fc.maxSafeInteger()],
  ['counters', fc.integer({ min: 0, max: 2 ** 31 })],
  ['round numbers', fc.tuple(fc.nat(999), fc.nat(22)).map(([a, e]) => a * 10 ** e)],
  ['decimals', fc.tuple(fc.maxSafeInteger(), fc.nat(17)).map(([whole, places]) => whole / 10 ** places)],
  ['decimals of few digits', fc.tuple(fc.nat(99_999), fc.nat(12)).map(([whole, places]) => whole / 10 ** places)],
  ['kernel units', fc.tuple(fc.nat(), fc.constantFrom(100, 1000, 1e6, 1e9, 1024)).map(([a, b]) => a / b)],
] as const)
  test(`writeNumber writes ${what} as formatFloat does`, () => {
    fc.assert(
      fc.property(number, (value) => {
        assert.equal(written(value), formatFloat(value));
        // Prometheus reads the same number from it.
        if (Number.isFinite(value)) assert.ok(Number(written(value)) === value);
      }),
      { numRuns: 3000 },
    );
  });

for (const [value, text] of [
  [0, '0'],
  // As the reference's library has it.
  [-0, '0'],
  [21, '21'],
  [999999, '999999'],
  [1e6, '1e+06'],
  [20999999, '2.0999999e+07'],
  [1e21, '1e+21'],
  [0.0001, '0.0001'],
  [0.00001, '1e-05'],
  [-1.5, '-1.5'],
  [0.1 + 0.2, '0.30000000000000004'],
  [5e-324, '5e-324'],
  [Number.MAX_VALUE, '1.7976931348623157e+308'],
  [-2.2250738585072014e-308, '-2.2250738585072014e-308'],
  [2 ** 64, '1.8446744073709552e+19'],
  [Number.POSITIVE_INFINITY, '+Inf'],
  [Number.NEGATIVE_INFINITY, '-Inf'],
  [Number.NaN, 'NaN'],
] as const)
  test(`writeNumber writes ${text}`, () => assert.equal(written(value), text));
