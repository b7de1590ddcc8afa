import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { ParseError } from '../../src/core/errors.ts';
import { ALL_FAMILIES, allLinkModes, parseFamily, parseLinkMode } from '../../src/netlink/ethtool.ts';
import { type Attribute, attribute, attributes, between, outcome } from '../helpers/netlink.ts';

const HEAD = Buffer.from([4, 1, 0, 0]);
const generic = (...attrs: readonly Attribute[]): Buffer => Buffer.concat([HEAD, attributes(...attrs)]);
const header = attributes([1, { u32: 4 }], [2, 'eno1']);

test('requests are written as the kernel reads them', () => {
  assert.deepEqual([...ALL_FAMILIES.body], [3, 1, 0, 0]);
  const { type, reply, body } = allLinkModes(21);
  assert.deepEqual([type, reply], [21, 21]);
  assert.deepEqual([...body], [4, 1, 0, 0, ...attribute(0x8001, attribute(3, { u32: 1 }))]);
});

test('parseFamily reads name and number', () => {
  assert.deepEqual(between(generic([2, 'ethtool'], [1, Uint8Array.of(21, 0)], [3, { u32: 1 }]), 0xff, parseFamily), {
    name: 'ethtool',
    id: 21,
  });
  for (const bytes of [
    HEAD.subarray(1),
    generic([2, 'ethtool']),
    generic([1, Uint8Array.of(21, 0)]),
    generic([2, 'a'], [1, Uint8Array.of(1)]),
  ])
    assert.throws(() => between(bytes, 0, parseFamily), ParseError);
});

for (const [speed, duplex, speedMegabits, name] of [
  [1000, 1, 1000, 'Full'],
  [10, 0, 10, 'Half'],
  [0, 255, 0, 'Unknown'],
  [0xffffffff, 255, undefined, 'Unknown'],
] as const)
  test(`parseLinkMode reads speed ${speed} and duplex ${duplex}`, () => {
    const bytes = generic([0x8001, header], [2, { u8: 1 }], [5, { u32: speed }], [6, { u8: duplex }]);
    assert.deepEqual(between(bytes, 0xff, parseLinkMode), { device: 'eno1', speedMegabits, duplex: name });
  });

test('parseLinkMode takes a device that says nothing, and refuses what is none', () => {
  const silent = { device: 'eno1', speedMegabits: undefined, duplex: undefined };
  assert.deepEqual(between(generic([0x8001, header]), 0xff, parseLinkMode), silent);
  for (const bytes of [HEAD.subarray(1), HEAD, generic([0x8001, header.subarray(0, 10)])])
    assert.throws(() => between(bytes, 0, parseLinkMode), ParseError);
});

for (const parse of [parseFamily, parseLinkMode])
  test(`${parse.name} reads nothing beyond the message and throws nothing but ParseError, whatever it is given`, () => {
    const part = fc.tuple(fc.nat(8), fc.uint8Array({ maxLength: 20 })).map(([type, value]) => attribute(type, value));
    fc.assert(
      fc.property(fc.array(part), fc.nat(60), fc.nat(255), fc.nat(12), (parts, at, byte, cut) => {
        const bytes = Buffer.concat([HEAD, attribute(1, header), ...parts]);
        if (at < bytes.length) bytes[at] = byte;
        const given = bytes.subarray(0, bytes.length - cut);
        const [zeros, ones] = [0, 0xff].map((around) => outcome(() => between<unknown>(given, around, parse)));
        assert.deepEqual(zeros, ones);
        assert.ok(typeof zeros !== 'string' || zeros === 'ParseError', String(zeros));
      }),
    );
  });
