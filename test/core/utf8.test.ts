import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { decodeName, decodeUtf8, pathOf } from '../../src/core/utf8.ts';

for (const [bytes, expected] of [
  [[], ''],
  [[0x61, 0x62], 'ab'],
  [[0x61, 0xff, 0x62], 'a\uFFFDb'],
  [[0xff, 0xfe, 0xfd, 0x62, 0xff], '\uFFFDb\uFFFD'],
  [[0xc3, 0xa4], 'ä'],
  [[0xc3], '\uFFFD'],
  [[0xc3, 0x61], '\uFFFDa'],
  // Too long for what they mean, halves of a pair, beyond the last code point.
  [[0xc0, 0x80], '\uFFFD'],
  [[0xe0, 0x9f, 0xbf], '\uFFFD'],
  [[0xf0, 0x8f, 0xbf, 0xbf], '\uFFFD'],
  [[0xed, 0xa0, 0x80], '\uFFFD'],
  [[0xf4, 0x90, 0x80, 0x80], '\uFFFD'],
  [[0xf4, 0x8f, 0xbf, 0xbf], '\u{10FFFF}'],
  [[0xed, 0x9f, 0xbf], '\uD7FF'],
  // The kernel's own are as many as they are.
  [[0xef, 0xbf, 0xbd, 0xef, 0xbf, 0xbd], '\uFFFD\uFFFD'],
  [[0xff, 0xef, 0xbf, 0xbd, 0xff, 0xff], '\uFFFD\uFFFD\uFFFD'],
] as const)
  test(`decodeUtf8 of the bytes ${bytes.join(' ')}`, () => assert.equal(decodeUtf8(Buffer.from(bytes)), expected));

test('decodeUtf8 takes a part of a buffer', () => {
  assert.equal(decodeUtf8(Buffer.from('abäcd'), 1, 4), 'bä');
  assert.equal(decodeUtf8(Buffer.from([0x61, 0xc3, 0xa4, 0xff, 0x62]), 1, 4), 'ä\uFFFD');
  assert.equal(decodeUtf8(Buffer.from([0x61, 0xc3, 0xa4]), 0, 2), 'a\uFFFD', 'what is beyond the end is not looked at');
});

test('whatever the bytes, text that is UTF-8 comes as it is and each run of others is one U+FFFD', () => {
  const piece = fc.oneof(
    fc.string({ unit: 'binary' }).map((text) => Buffer.from(text)),
    fc.uint8Array({ maxLength: 4 }).map((bytes) => Buffer.from(bytes)),
  );
  fc.assert(
    fc.property(fc.array(piece), (pieces) => {
      const bytes = Buffer.concat(pieces);
      // The decoder of the platform has one for each maximal part of a sequence.
      const theirs = new TextDecoder('utf-8', { ignoreBOM: true }).decode(bytes);
      const ours = decodeUtf8(bytes);
      if (bytes.includes('\uFFFD')) assert.equal(ours.replaceAll('\uFFFD', ''), theirs.replaceAll('\uFFFD', ''));
      else assert.equal(ours, theirs.replace(/\uFFFD+/g, '\uFFFD'));
    }),
  );
});

test('a name holds one character for each byte, and becomes text or a path', () => {
  const name = Buffer.from('eth-ä').toString('latin1');
  assert.equal(decodeName(name), 'eth-ä');
  assert.deepEqual(pathOf(name), Buffer.from('eth-ä'));
  assert.equal(decodeName('eth0'), 'eth0');
  assert.equal(pathOf('eth0'), 'eth0');
  assert.equal(decodeName('\xff\xfe'), '\uFFFD');
});
