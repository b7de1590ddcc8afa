import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ParseError } from '../../src/core/errors.ts';
import { pageSizeBytes, parsePageSize } from '../../src/parse/auxv.ts';

const auxv = (entries: readonly (readonly [number, number])[], bigEndian: boolean): Buffer =>
  Buffer.concat(
    entries.flat().map((word) => {
      const bytes = Buffer.alloc(8);
      if (bigEndian) bytes.writeBigUInt64BE(BigInt(word));
      else bytes.writeBigUInt64LE(BigInt(word));
      return bytes;
    }),
  );

for (const bigEndian of [false, true])
  test(`parsePageSize finds the page size, ${bigEndian ? 'big' : 'little'} endian`, () => {
    const entries = [
      [33, 6],
      [6, 65536],
      [17, 100],
      [0, 0],
    ] as const;
    assert.equal(parsePageSize(auxv(entries, bigEndian), bigEndian), 65536);
  });

test('parsePageSize refuses a vector without a page size, or cut in the middle', () => {
  assert.throws(
    () =>
      parsePageSize(
        auxv(
          [
            [17, 100],
            [0, 0],
          ],
          false,
        ),
        false,
      ),
    ParseError,
  );
  assert.throws(() => parsePageSize(auxv([[6, 4096]], false).subarray(0, 15), false), ParseError);
});

test('pageSizeBytes is a power of two that this machine can have', () => {
  const size = pageSizeBytes();
  assert.ok(size >= 4096);
  assert.equal(size & (size - 1), 0);
});
