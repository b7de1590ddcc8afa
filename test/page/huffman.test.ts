import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { codeOf } from '../../src/page/huffman.ts';

/** The code as text, by symbol, first bit first. */
function wordsOf(counts: readonly number[], max?: number): string[] {
  const { bits, lengths } = codeOf(Uint32Array.from(counts), max);
  return [...lengths].map((length, symbol) =>
    [...(bits[symbol] as number).toString(2).padStart(length, '0')].reverse().join('').slice(0, length),
  );
}

test('what occurs often is short, and what occurs never has no code', () => {
  assert.deepEqual(wordsOf([8, 1, 0, 4, 1]), ['0', '110', '', '10', '111']);
});

test('no code is longer than it may be, however unlike the counts are', () => {
  const fibonacci = [1, 1];
  while (fibonacci.length < 40) fibonacci.push((fibonacci.at(-1) as number) + (fibonacci.at(-2) as number));
  for (const max of [7, 15]) assert.ok(wordsOf(fibonacci, max).every(({ length }) => length > 0 && length <= max));
});

test('whatever the counts, no code begins another one, and none is left over', () => {
  fc.assert(
    fc.property(fc.array(fc.nat(1e6), { minLength: 2, maxLength: 60 }), (counts) => {
      fc.pre(counts.filter((count) => count > 0).length >= 2);
      const words = wordsOf(counts);
      assert.deepEqual(
        words.map(({ length }) => length > 0),
        counts.map((count) => count > 0),
      );
      const used = words.filter(({ length }) => length > 0).sort();
      for (const [i, word] of used.slice(1).entries()) assert.ok(!word.startsWith(used[i] as string));
      assert.equal(
        used.reduce((sum, { length }) => sum + 2 ** -length, 0),
        1,
      );
    }),
  );
});
