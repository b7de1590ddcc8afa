import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ParseError } from '../../src/core/errors.ts';
import { allLinkModes, parseLinkMode } from '../../src/netlink/ethtool.ts';
import { type Attribute, assertLivesThrough, attribute, attributes, between } from '../helpers/netlink.ts';

const HEAD = Buffer.from([4, 1, 0, 0]);
const generic = (...attrs: readonly Attribute[]): Buffer => Buffer.concat([HEAD, attributes(...attrs)]);
const header = attributes([1, { u32: 4 }], [2, 'eno1']);

test('the request is written as the kernel reads it', () => {
  const { type, reply, body } = allLinkModes(21);
  assert.deepEqual([type, reply], [21, 21]);
  assert.deepEqual([...body], [4, 1, 0, 0, ...attribute(0x8001, attribute(3, { u32: 1 }))]);
});

for (const [speed, duplex, speedMegabits, name] of [
  [1000, 1, 1000, 'Full'],
  [10, 0, 10, 'Half'],
  [0, 255, 0, 'Unknown'],
  [0xffffffff, 255, -1, 'Unknown'],
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

test('parseLinkMode lives through whatever it is given', () => {
  assertLivesThrough([generic([0x8001, header], [5, { u32: 1000 }], [6, { u8: 1 }])], parseLinkMode);
});
