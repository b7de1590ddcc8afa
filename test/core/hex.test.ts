import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { hex } from '../../src/core/hex.ts';

test('hex reads back what was written in hexadecimal', () =>
  fc.assert(fc.property(fc.bigInt(0n, 2n ** 64n - 1n), (value) => hex(value.toString(16)) === Number(value))));

for (const text of [undefined, '', 'g', '0x1', '-1', '1 ', '12345678901234567'])
  test(`hex refuses ${JSON.stringify(text)}`, () => assert.equal(hex(text), undefined));
