import assert from 'node:assert/strict';
import { test } from 'node:test';
import { joinReplacements } from '../../src/core/utf8.ts';

for (const [bytes, expected] of [
  [[0x61, 0x62], 'ab'],
  [[0x61, 0xff, 0x62], 'a\uFFFDb'],
  [[0xff, 0xfe, 0xfd, 0x62, 0xff], '\uFFFDb\uFFFD'],
  [[0xc3, 0xa4], 'ä'],
] as const)
  test(`joinReplacements of the bytes ${bytes.join(' ')}`, () =>
    assert.equal(Buffer.from(bytes).toString('utf8'), expected));
