import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { ParseError } from '../../src/core/errors.ts';
import { formatFloat } from '../../src/core/format.ts';
import type { Turn } from '../../src/core/host.ts';
import { gauge } from '../../src/core/metric.ts';
import type { MessageLayout } from '../../src/core/network.ts';
import { Samples } from '../../src/core/samples.ts';
import { createMessages } from '../../src/netlink/messages.ts';
import {
  ALL_ADDRESSES,
  ALL_LINKS,
  addressOf,
  aliasOf,
  altNamesOf,
  counterIndex,
  counterOf,
  IPV4_NEIGHBOURS,
  LINK,
  LINK_COUNTERS,
  LINK_HEAD_BYTES,
  LINK_HEAD as LINK_PLACES,
  nameOf,
  operstateOf,
  parseDeviceAddress,
  parseIpv4Neighbour,
} from '../../src/netlink/rtnetlink.ts';
import { type Attribute, attribute, attributes, between, kernelOf, outcome, u32s, u64s } from '../helpers/netlink.ts';
import { samplesIn } from '../helpers/odd.ts';
import { render } from '../helpers/render.ts';

const COUNTS = LINK_COUNTERS.map((_, i) => BigInt(i + 1));
const asNumbers = (counts: readonly bigint[]): number[] => counts.map(Number);

/** struct ifinfomsg of an Ethernet device with index 4 that is up and running. */
const LINK_HEAD = Buffer.from([0, 0, 1, 0, 4, 0, 0, 0, 0x43, 0x10, 0x01, 0, 0, 0, 0, 0]);
const link = (...attrs: readonly Attribute[]): Buffer => Buffer.concat([LINK_HEAD, attributes(...attrs)]);
const [IFNAME, STATS, STATS64] = [3, 7, 23];

test('requests have the heads that the kernel wants', () => {
  assert.equal(ALL_LINKS.body.length, 16);
  assert.equal(ALL_ADDRESSES.body.length, 8);
  assert.deepEqual([...IPV4_NEIGHBOURS.body], [2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
});

const value = gauge('value', 'Something that is said of a device.', 'device', 'what');
const turn: Turn = { signal: new AbortController().signal, leftMs: () => 1000, pause: () => undefined };

/** What a layout writes of these messages, as `<device> <what> <value>`, and its faults. */
function laidOut(messages: readonly Uint8Array[], layout: MessageLayout): { samples: string[]; faults: unknown[] } {
  const kernel = kernelOf(() => messages.map((body) => [ALL_LINKS.reply, body] as const));
  const clock = { scrape: 1, look: 1, layouts: 0 };
  const samples = new Samples();
  samples.begin();
  createMessages(clock, LINK_HEAD_BYTES, () => [kernel, ALL_LINKS]).table(layout)(samples, turn);
  samples.close();
  const text = samplesIn(render([samples]).text);
  return {
    samples: text.map((sample) => sample.replace(/^value\{device="(.*)",what="(.*)"\} /, '$1 $2 ')),
    faults: [...samples.faults],
  };
}

const writeCounters: MessageLayout = (link, out) => {
  const device = nameOf(link);
  for (const [place, name] of LINK_COUNTERS.entries()) out.sample(value, counterOf(link, place), device, name);
};
const counted = (counters: readonly number[]): string[] =>
  counters.map((counter, i) => `eno1 ${LINK_COUNTERS[i]} ${formatFloat(counter)}`).sort();

for (const [why, attrs, counters] of [
  ['of 64 bits', [[STATS64, u64s(...COUNTS)]], asNumbers(COUNTS)],
  [
    'of 64 bits although there are some of 32',
    [
      [STATS64, u64s(...COUNTS)],
      [STATS, u32s(...Array(24).fill(9))],
    ],
    asNumbers(COUNTS),
  ],
  ['of 32 bits where there are no others', [[STATS, u32s(...asNumbers(COUNTS))]], asNumbers(COUNTS)],
  ['of a kernel without rx_nohandler', [[STATS64, u64s(...COUNTS.slice(0, 23))]], asNumbers(COUNTS.slice(0, 23))],
  ['of a kernel with one more', [[STATS64, u64s(...COUNTS, 99n)]], asNumbers(COUNTS)],
  ['as large as they get', [[STATS64, u64s(...COUNTS.map(() => 2n ** 64n - 1n))]], COUNTS.map(() => 2 ** 64)],
  ['that are cut', [[STATS64, u64s(...COUNTS.slice(0, 2))]], [1, 2]],
  ['not at all', [[13, { u32: 1000 }]], []],
] as const)
  test(`counterOf reads counters ${why}`, () => {
    const { samples, faults } = laidOut([link([IFNAME, 'eno1'], ...attrs)], writeCounters);
    assert.deepEqual([samples.sort(), faults], [counted(counters), []]);
  });

test('counterIndex knows the order of struct rtnl_link_stats64', () => {
  assert.deepEqual(
    (['rx_packets', 'tx_bytes', 'rx_missed_errors', 'tx_window_errors', 'rx_nohandler'] as const).map(counterIndex),
    [0, 3, 15, 20, 23],
  );
});

/** Everything that is known of a device; what the kernel did not say is not written. */
const writeAll: MessageLayout = (link, out) => {
  const device = nameOf(link);
  for (const name of ['index', 'flags'] as const) out.sample(value, link.head(LINK_PLACES[name], 4), device, name);
  out.sample(value, link.head(LINK_PLACES.type, 2), device, 'type');
  for (const name of ['carrier', 'linkMode'] as const) out.sample(value, link.u8(LINK[name]), device, name);
  for (const name of NUMBERS) out.sample(value, link.u32(LINK[name]), device, name);
  const words = [addressOf(link, LINK.address), addressOf(link, LINK.broadcast), aliasOf(link), operstateOf(link)];
  out.sample(value, 1, device, [...words, ...altNamesOf(link)].join('|'));
  out.sample(value, counterOf(link, 3), device, 'tx_bytes');
};
const NUMBERS = ['mtu', 'link', 'txQueueLength', 'group', 'carrierChanges', 'carrierUp', 'carrierDown'] as const;
const HEAD = ['index 4', 'flags 69699', 'type 1'];
const written = (device: string, ...whats: readonly string[]): string[] =>
  whats.map((what) => `${device} ${what}`).sort();

test('a link has what is known of a device', () => {
  const bytes = link(
    [IFNAME, 'veth0'],
    [13, { u32: 1000 }],
    [16, { u8: 6 }],
    [17, { u8: 1 }],
    [4, { u32: 1500 }],
    [27, { u32: 7 }],
    [33, { u8: 1 }],
    [35, { u32: 3 }],
    [47, { u32: 2 }],
    [48, { u32: 1 }],
    [1, Uint8Array.of(0x52, 0x54, 0, 0x1f, 0x8b, 1)],
    [2, Uint8Array.of(255, 255, 255, 255, 255, 255)],
    [20, 'to the left'],
    [5, { u32: 9 }],
    [STATS64, u64s(...COUNTS)],
    [52 | 0x8000, attributes([53, 'another'], [53, 'third'], [99, 'unknown'])],
    [200, Uint8Array.of(1)],
  );
  const { samples, faults } = laidOut([bytes], writeAll);
  assert.deepEqual(faults, []);
  assert.deepEqual(
    samples.sort(),
    written(
      'veth0',
      ...HEAD,
      ...['carrier 1', 'linkMode 1', 'mtu 1500', 'link 9', 'txQueueLength 1000', 'group 7'],
      ...['carrierChanges 3', 'carrierUp 2', 'carrierDown 1', 'tx_bytes 4'],
      '52:54:00:1f:8b:01|ff:ff:ff:ff:ff:ff|to the left|up|another|third 1',
    ),
  );
});

for (const [why, attrs] of [
  ['what the kernel did not say', []],
  [
    'an address of no length, and a state that is new',
    [
      [1, new Uint8Array(0)],
      [16, { u8: 77 }],
    ],
  ],
  [
    'values that are cut',
    [
      [4, Uint8Array.of(1, 2, 3)],
      [16, new Uint8Array(0)],
    ],
  ],
] as const)
  test(`a link leaves out ${why}`, () => {
    const { samples, faults } = laidOut([link([IFNAME, 'a'], ...attrs)], writeAll);
    assert.deepEqual([samples.sort(), faults], [written('a', ...HEAD, '|||unknown 1'), []]);
  });

for (const [why, bytes] of [
  ['no head', LINK_HEAD.subarray(0, 12)],
  ['no name', link([4, { u32: 1500 }])],
  [
    'an attribute that is longer than the message',
    Buffer.concat([link([IFNAME, 'a']), Buffer.from([9, 0, 4, 0, 0, 0, 0, 0])]),
  ],
  ['an attribute that is shorter than its head', Buffer.concat([link([IFNAME, 'a']), Buffer.from([3, 0, 4, 0])])],
  ['an attribute of no length', Buffer.concat([link([IFNAME, 'a']), Buffer.from([0, 0, 4, 0])])],
  ['a rest that holds no attribute', Buffer.concat([link([IFNAME, 'a']), Buffer.from([8, 0])])],
  ['a list of names that is cut', link([IFNAME, 'a'], [52, Uint8Array.of(9, 0, 53, 0, 0)])],
] as const)
  test(`a device with ${why} costs itself alone`, () => {
    const { samples, faults } = laidOut([bytes, link([IFNAME, 'b'])], writeAll);
    assert.deepEqual(samples.sort(), written('b', ...HEAD, '|||unknown 1'));
    assert.equal(faults.length, 1);
    assert.ok(faults[0] instanceof ParseError);
  });

const address = (family: number, prefixLength: number, ...attrs: readonly Attribute[]): Buffer =>
  Buffer.concat([Buffer.from([family, prefixLength, 0, 0, 7, 0, 0, 0]), attributes(...attrs)]);
const V4 = Uint8Array.of(192, 0, 2, 1);
const PEER = Uint8Array.of(192, 0, 2, 2);
const V6 = Uint8Array.of(0xfe, 0x80, ...new Uint8Array(13), 1);

for (const [why, bytes, wanted] of [
  ['of IPv4', address(2, 24, [1, V4], [2, V4]), { index: 7, address: '192.0.2.1', prefixLength: 24 }],
  [
    'with another at the other end',
    address(2, 32, [1, PEER], [2, V4]),
    { index: 7, address: '192.0.2.1', prefixLength: 32 },
  ],
  ['of IPv6', address(10, 64, [1, V6]), { index: 7, address: 'fe80::1', prefixLength: 64 }],
  ['of another family', address(28, 1, [1, V4]), undefined],
  ['that is missing', address(2, 24, [3, 'eth0']), undefined],
] as const)
  test(`parseDeviceAddress reads an address ${why}`, () => {
    assert.deepEqual(between(bytes, 0xff, parseDeviceAddress), wanted);
  });

for (const [why, bytes] of [
  ['without a head', Buffer.from([2, 24, 0, 0, 7, 0, 0])],
  ['of three bytes', address(2, 24, [1, V4.subarray(1)])],
  ['of the other family', address(10, 64, [1, V4])],
] as const)
  test(`parseDeviceAddress refuses an address ${why}`, () => {
    assert.throws(() => between(bytes, 0, parseDeviceAddress), ParseError);
  });

test('parseIpv4Neighbour reads device and state', () => {
  const neighbour = (family: number): Buffer => Buffer.from([family, 0, 0, 0, 5, 0, 0, 0, 0x40, 1, 0, 1]);
  assert.deepEqual(between(neighbour(2), 0xff, parseIpv4Neighbour), { index: 5, state: 0x140 });
  assert.equal(between(neighbour(10), 0xff, parseIpv4Neighbour), undefined);
  assert.throws(() => between(neighbour(2).subarray(1), 0, parseIpv4Neighbour), ParseError);
});

const anyAttribute = fc
  .tuple(
    fc.oneof(fc.constantFrom(1, 2, 3, 4, 5, 7, 13, 16, 17, 20, 23, 27, 33, 52), fc.nat(0xffff)),
    fc.uint8Array({ maxLength: 220 }),
  )
  .map(([type, value]) => attribute(type, value));
/** Messages of attributes that are right, then spoilt: cut off, or with bytes changed. */
const spoilt = fc
  .record({
    parts: fc.array(anyAttribute, { maxLength: 6 }),
    cut: fc.nat(400),
    changes: fc.array(fc.tuple(fc.nat(400), fc.nat(255)), { maxLength: 4 }),
  })
  .map(({ parts, cut, changes }) => {
    const bytes = Buffer.concat([LINK_HEAD, attribute(IFNAME, 'eno1'), ...parts]);
    for (const [at, byte] of changes) if (at < bytes.length) bytes[at] = byte;
    return bytes.subarray(0, Math.max(0, bytes.length - (cut % 3 === 0 ? 0 : cut)));
  });

for (const parse of [parseDeviceAddress, parseIpv4Neighbour])
  test(`${parse.name} reads nothing beyond the message and throws nothing but ParseError, whatever it is given`, () => {
    fc.assert(
      fc.property(spoilt, (bytes) => {
        const [zeros, ones] = [0, 0xff].map((around) => outcome(() => between<unknown>(bytes, around, parse)));
        assert.deepEqual(zeros, ones);
        assert.ok(typeof zeros !== 'string' || zeros === 'ParseError', String(zeros));
      }),
    );
  });

test('a link is read from nothing beyond its message, and no fault but a ParseError comes of it, whatever it is', () => {
  const write: MessageLayout = (message, out) => {
    if (message.text(IFNAME) === 'next') return;
    writeAll(message, out);
    writeCounters(message, out);
  };
  fc.assert(
    fc.property(spoilt, (bytes) => {
      const [one, other] = [0, 0xff].map((fill) =>
        laidOut([bytes, link([IFNAME, 'next'], [200, new Uint8Array(64).fill(fill)])], write),
      );
      assert.deepEqual(one, other);
      for (const fault of one?.faults ?? []) assert.ok(fault instanceof ParseError, String(fault));
    }),
  );
});
