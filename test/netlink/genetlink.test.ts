import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ParseError } from '../../src/core/errors.ts';
import { ALL_FAMILIES, findFamily, genericRequest, parseFamily } from '../../src/netlink/genetlink.ts';
import { openNetlink } from '../../src/netlink/netlink.ts';
import { NETLINK_GENERIC } from '../../src/netlink/protocols.ts';
import { type Attribute, assertLivesThrough, attributes, between, kernelOf } from '../helpers/netlink.ts';

const HEAD = Buffer.from([1, 2, 0, 0]);
const family = (...attrs: readonly Attribute[]): Buffer => Buffer.concat([HEAD, attributes(...attrs)]);
const ETHTOOL = family([2, 'ethtool'], [1, Uint8Array.of(21, 0)], [3, { u32: 1 }]);

test('a question has the head of generic netlink, then its attributes', () => {
  assert.deepEqual(genericRequest(21, 5, Uint8Array.of(9, 8)), {
    type: 21,
    reply: 21,
    body: Uint8Array.of(5, 1, 0, 0, 9, 8),
  });
  assert.deepEqual([ALL_FAMILIES.type, ...ALL_FAMILIES.body], [16, 3, 1, 0, 0]);
});

test('parseFamily reads name and number', () => {
  assert.deepEqual(between(ETHTOOL, 0xff, parseFamily), { name: 'ethtool', id: 21 });
  for (const bytes of [
    HEAD.subarray(1),
    family([2, 'ethtool']),
    family([1, Uint8Array.of(21, 0)]),
    family([2, 'a'], [1, Uint8Array.of(1)]),
  ])
    assert.throws(() => between(bytes, 0, parseFamily), ParseError);
});

test('parseFamily lives through whatever it is given', () => assertLivesThrough([ETHTOOL], parseFamily));

test('a family is found by its name', () => {
  const kernel = kernelOf(() => [
    [16, family([2, 'nlctrl'], [1, Uint8Array.of(16, 0)])],
    [16, ETHTOOL],
  ]);
  assert.equal(findFamily(kernel, 'ethtool'), 21);
  assert.equal(findFamily(kernel, 'nl80211'), undefined);
});

test('this kernel has the family of families', () => {
  const generic = openNetlink(NETLINK_GENERIC);
  assert.equal(findFamily(generic, 'nlctrl'), 16);
  generic.close();
});
