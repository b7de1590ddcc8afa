import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { formatAddress } from '../../src/core/ip_address.ts';

const groups = (...values: readonly number[]): Uint8Array => Uint8Array.from(values.flatMap((v) => [v >> 8, v & 255]));

for (const [bytes, text] of [
  [Uint8Array.of(127, 0, 0, 1), '127.0.0.1'],
  [groups(0, 0, 0, 0, 0, 0, 0, 0), '::'],
  [groups(0, 0, 0, 0, 0, 0, 0, 1), '::1'],
  [groups(0xfe80, 0, 0, 0, 0xfc, 0xff, 0xfe00, 1), 'fe80::fc:ff:fe00:1'],
  [groups(0x2001, 0xdb8, 0, 1, 1, 1, 1, 1), '2001:db8:0:1:1:1:1:1'],
  [groups(0x2001, 0xdb8, 0, 0, 1, 0, 0, 1), '2001:db8::1:0:0:1'],
  [groups(0x2001, 0, 0, 1, 0, 0, 0, 1), '2001:0:0:1::1'],
  [groups(1, 2, 3, 4, 5, 6, 7, 0), '1:2:3:4:5:6:7:0'],
  [groups(1, 2, 3, 4, 5, 6, 0, 0), '1:2:3:4:5:6::'],
] as const)
  test(`formatAddress writes ${text}`, () => assert.equal(formatAddress(bytes), text));

test('formatAddress knows no other lengths', () => {
  for (const length of [0, 3, 5, 15, 17]) assert.equal(formatAddress(new Uint8Array(length)), undefined);
});

test('formatAddress agrees with the URL standard', () => {
  const group = fc.oneof(fc.constant(0), fc.nat(0xffff));
  fc.assert(
    fc.property(fc.array(group, { minLength: 8, maxLength: 8 }), (values) => {
      const host = new URL(`http://[${values.map((value) => value.toString(16)).join(':')}]/`).hostname;
      assert.equal(`[${formatAddress(groups(...values))}]`, host);
    }),
  );
});
