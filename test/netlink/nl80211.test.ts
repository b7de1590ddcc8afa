// Messages as include/uapi/linux/nl80211.h lays them out.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ParseError } from '../../src/core/errors.ts';
import {
  allInterfaces,
  networksOf,
  parseInterface,
  parseNetwork,
  parseStation,
  stationsOf,
} from '../../src/netlink/nl80211.ts';
import { type Attribute, assertLivesThrough, attributes, between, u32s, u64s } from '../helpers/netlink.ts';
import { ADDRESS, elements, wireless } from '../helpers/nl80211.ts';

const [IFINDEX, IFNAME, MAC, STA_INFO, WIPHY_FREQ, BSS] = [3, 4, 6, 21, 38, 47];
const NESTED = 0x8000;

test('requests are written as the kernel reads them', () => {
  assert.deepEqual([...allInterfaces(28).body], [5, 1, 0, 0]);
  assert.deepEqual([...networksOf(28, 300).body], [32, 1, 0, 0, 8, 0, 3, 0, 44, 1, 0, 0]);
  assert.deepEqual([...stationsOf(28, 7).body], [17, 1, 0, 0, 8, 0, 3, 0, 7, 0, 0, 0]);
});

const INTERFACE = wireless(7, [IFINDEX, { u32: 3 }], [IFNAME, 'wlan0'], [5, { u32: 2 }], [WIPHY_FREQ, { u32: 2412 }]);
for (const [why, bytes, wanted] of [
  ['on a channel', INTERFACE, { index: 3, device: 'wlan0', frequencyMhz: 2412 }],
  [
    'without a channel',
    wireless(7, [IFINDEX, { u32: 3 }], [IFNAME, 'wlan0']),
    { index: 3, device: 'wlan0', frequencyMhz: undefined },
  ],
  ['that is no network device', wireless(7, [MAC, ADDRESS], [WIPHY_FREQ, { u32: 2412 }]), undefined],
] as const)
  test(`parseInterface reads a device ${why}`, () => assert.deepEqual(between(bytes, 0xff, parseInterface), wanted));

const network = (...attrs: readonly Attribute[]): Buffer => wireless(34, [BSS | NESTED, attributes(...attrs)]);
const NETWORK = network([1, ADDRESS], [6, elements('caf\u00e9')], [9, { u32: 1 }]);
for (const [why, bytes, wanted] of [
  ['that the device belongs to', NETWORK, { bssid: '02:00:00:00:01:00', ssid: 'caf\u00e9', mode: 'client' }],
  ['that the device is authenticated with', network([9, { u32: 0 }]), { bssid: '', ssid: '', mode: 'client' }],
  ['without a centre', network([9, { u32: 2 }]), { bssid: '', ssid: '', mode: 'ad-hoc' }],
  ['of a status that is new', network([9, { u32: 9 }]), { bssid: '', ssid: '', mode: 'unknown' }],
  [
    'whose elements are cut short',
    network([6, Uint8Array.of(1, 1, 0, 0, 9, 65, 66)], [9, { u32: 1 }]),
    { bssid: '', ssid: 'AB', mode: 'client' },
  ],
  ['that has been heard of', network([1, ADDRESS], [6, elements('other')]), undefined],
] as const)
  test(`parseNetwork reads one ${why}`, () => assert.deepEqual(between(bytes, 0xff, parseNetwork), wanted));

const station = (...attrs: readonly Attribute[]): Buffer =>
  wireless(19, [MAC, ADDRESS], [STA_INFO | NESTED, attributes(...attrs)]);
const rate = (...attrs: readonly Attribute[]): Buffer => attributes(...attrs);
const STATION = station(
  [1, { u32: 1500 }],
  [24, u64s(2n ** 33n)],
  [2, { u32: 5 }],
  [3, { u32: 6 }],
  [7, { u8: 256 - 52 }],
  [8, rate([1, Uint8Array.of(0x90, 0)], [5, u32s(540)])],
  [9, { u32: 9 }],
  [10, { u32: 10 }],
  [11, { u32: 11 }],
  [12, { u32: 12 }],
  [14, rate([1, Uint8Array.of(65, 0)])],
  [16, { u32: 3600 }],
  [18, { u32: 18 }],
  [99, { u32: 1 }],
);
const [address] = ['02:00:00:00:01:00'];
for (const [why, bytes, wanted] of [
  [
    'with all numbers',
    STATION,
    {
      address,
      inactiveMs: 1500,
      receiveBytes: 5,
      transmitBytes: 2 ** 33,
      signalDbm: -52,
      transmitBitsPerSecond: 54_000_000,
      receivePackets: 9,
      transmitPackets: 10,
      transmitRetries: 11,
      transmitFailed: 12,
      receiveBitsPerSecond: 6_500_000,
      connectedSeconds: 3600,
      beaconLoss: 18,
    },
  ],
  ['with a few', station([7, { u8: 0 }], [8, rate()]), { address, signalDbm: 0, transmitBitsPerSecond: 0 }],
  ['without any', wireless(19, [MAC, ADDRESS]), { address }],
] as const)
  test(`parseStation reads one ${why}`, () => assert.deepEqual(between(bytes, 0xff, parseStation), wanted));

for (const [why, bytes] of [
  ['without an address', wireless(19, [STA_INFO, new Uint8Array(0)])],
  ['with half a number', station([16, Uint8Array.of(1, 2)])],
  ['with half a rate', station([8, rate([1, Uint8Array.of(1)])])],
  ['without a head', new Uint8Array(3)],
] as const)
  test(`parseStation refuses one ${why}`, () => assert.throws(() => between(bytes, 0, parseStation), ParseError));

for (const [parse, messages] of [
  [parseInterface, [INTERFACE]],
  [parseNetwork, [NETWORK]],
  [parseStation, [STATION]],
] as const)
  test(`${parse.name} lives through whatever it is given`, () => assertLivesThrough(messages, parse));
