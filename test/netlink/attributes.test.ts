import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { ParseError } from '../../src/core/errors.ts';
import {
  bytesOf,
  encodeU32,
  hardwareAddressOf,
  i8Of,
  textOf,
  u8Of,
  u16Of,
  u32Of,
  u64At,
  u64Of,
  walkAttributes,
  walkNested,
} from '../../src/netlink/attributes.ts';
import { attribute, between, u64s } from '../helpers/netlink.ts';

const walk = (view: DataView, start: number, end: number): [type: number, bytes: number[]][] => {
  const found: [number, number[]][] = [];
  walkAttributes(view, start, end, (type, at) => found.push([type, [...bytesOf(view, at)]]));
  return found;
};

test('attributes are walked as they were written, whatever their lengths', () => {
  const one = fc.tuple(fc.nat(0x3fff), fc.uint8Array({ maxLength: 40 }));
  fc.assert(
    fc.property(fc.array(one), fc.boolean(), (all, withoutLastPadding) => {
      const bytes = Buffer.concat(all.map(([type, value]) => attribute(type, value)));
      const padding = -(all.at(-1)?.[1].length ?? 0) & 3;
      const given = withoutLastPadding ? bytes.subarray(0, bytes.length - padding) : bytes;
      assert.deepEqual(
        between(given, 0xff, walk),
        all.map(([type, value]) => [type, [...value]]),
      );
    }),
  );
});

test('the bits beside a type are no part of it', () => {
  assert.deepEqual(between(attribute(0x8000 | 0x4000 | 52, 'x'), 0, walk), [[52, [120, 0]]]);
});

for (const [why, bytes] of [
  ['longer than its room', [5, 0, 1, 0]],
  ['shorter than its head', [3, 0, 1, 0]],
  ['without a whole head', [4, 0, 1]],
] as const)
  test(`an attribute that is ${why} is refused`, () => {
    assert.throws(() => between(Uint8Array.from(bytes), 0xff, walk), ParseError);
    assert.throws(() => between(Uint8Array.from(bytes), 0xff, walk), / at byte 64"$/);
  });

test('a value is read at its width, and refused where it is shorter', () => {
  const value = Uint8Array.of(1, 2, 3, 4, 5);
  assert.equal(between(attribute(1, value), 0, u8Of), 1);
  assert.equal(between(attribute(1, value), 0, u16Of), 0x0201);
  assert.equal(between(attribute(1, value), 0, u32Of), 0x04030201);
  assert.throws(() => between(attribute(1, value.subarray(0, 3)), 0xff, u32Of), ParseError);
  assert.throws(() => between(attribute(1, value.subarray(0, 1)), 0xff, u16Of), ParseError);
  assert.throws(() => between(attribute(1, new Uint8Array(0)), 0xff, u8Of), ParseError);
});

test('numbers of other widths, and with a sign', () => {
  assert.equal(between(attribute(1, Uint8Array.of(0xcc)), 0, i8Of), -52);
  assert.equal(between(attribute(1, u64s(2n ** 53n - 1n)), 0, u64Of), 2 ** 53 - 1);
  assert.throws(() => between(attribute(1, new Uint8Array(7)), 0xff, u64Of), ParseError);
});

test('a number is encoded as an attribute that can be read', () => {
  assert.deepEqual(Buffer.from(encodeU32(3, 0xfffffffe)), attribute(3, { u32: 0xfffffffe }));
});

test('attributes within an attribute are walked up to its end', () => {
  const nested = attribute(9, Buffer.concat([attribute(1, { u8: 1 }), attribute(2, { u8: 2 })]));
  const types: number[] = [];
  between(Buffer.concat([nested, attribute(3, { u8: 3 })]), 0xff, (view, start) =>
    walkNested(view, start, (type) => types.push(type)),
  );
  assert.deepEqual(types, [1, 2]);
});

test('a hardware address has a colon after each byte but the last', () => {
  assert.equal(between(attribute(1, Uint8Array.of(2, 0, 0xab)), 0, hardwareAddressOf), '02:00:ab');
  assert.equal(between(attribute(1, new Uint8Array(0)), 0, hardwareAddressOf), '');
});

test('a text ends at its zero, or where the value ends', () => {
  assert.equal(between(attribute(3, 'eno1'), 0xff, textOf), 'eno1');
  assert.equal(between(attribute(3, Buffer.from('eno1')), 0xff, textOf), 'eno1');
  assert.equal(between(attribute(3, Buffer.from('a\0b')), 0xff, textOf), 'a');
  assert.equal(between(attribute(3, new Uint8Array(0)), 0xff, textOf), '');
  assert.equal(between(attribute(3, Buffer.from('gr\u00fcn')), 0xff, textOf), 'grün');
});

test('a 64 bit integer becomes the nearest double, as BigInt would have it', () => {
  fc.assert(
    fc.property(fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }), (value) => {
      const view = new DataView(new ArrayBuffer(8));
      view.setBigUint64(0, value, true);
      assert.equal(u64At(view, 0), Number(value));
    }),
  );
});
