import assert from 'node:assert/strict';
import { test } from 'node:test';
import wifi from '../../src/collectors/wifi.ts';
import { NoDataError, UsageError } from '../../src/core/errors.ts';
import { type Answer, type Attribute, attributes, kernelOf } from '../helpers/netlink.ts';
import { ADDRESS, elements, wireless } from '../helpers/nl80211.ts';
import { golden, scrape } from '../helpers/scrape.ts';

const [CONTROLLER, FAMILY] = [16, 28];
const [GET_INTERFACE, GET_STATION, GET_SCAN] = [5, 17, 32];
const [IFINDEX, IFNAME, MAC, STA_INFO, WIPHY_FREQ, BSS] = [3, 4, 6, 21, 38, 47];
const [ENODEV, EIO, EOPNOTSUPP] = [19, 5, 95];

const known: Answer = [[CONTROLLER, wireless(1, [2, 'nl80211'], [1, Uint8Array.of(FAMILY, 0)])]];
const device = (index: number, name: string, ...rest: readonly Attribute[]) =>
  [FAMILY, wireless(7, [IFINDEX, { u32: index }], [IFNAME, name], ...rest)] as const;
const network = (...attrs: readonly Attribute[]) => [FAMILY, wireless(34, [BSS, attributes(...attrs)])] as const;
const station = (address: Uint8Array, ...attrs: readonly Attribute[]) =>
  [FAMILY, wireless(19, [MAC, address], [STA_INFO, attributes(...attrs)])] as const;

/** What the kernel answers, by the command and the device's index. */
const ANSWERS: Readonly<Record<string, Answer>> = {
  [GET_INTERFACE]: [
    device(3, 'wlan0', [WIPHY_FREQ, { u32: 5180 }]),
    device(4, 'ap0', [WIPHY_FREQ, { u32: 2412 }]),
    device(5, 'mon0'),
    [FAMILY, wireless(7, [MAC, ADDRESS])],
  ],
  [`${GET_SCAN} 3`]: [
    network([1, ADDRESS], [6, elements('heard of')]),
    network([1, ADDRESS], [6, elements('at "home"')], [9, { u32: 1 }]),
  ],
  [`${GET_STATION} 3`]: [
    station(
      ADDRESS,
      ...[1, 2, 3, 9, 10, 11, 12, 16, 18].map((type): Attribute => [type, { u32: 1000 + type }]),
      ...[[7, { u8: 256 - 61 }] as const, [8, attributes([5, { u32: 8667 }])] as const],
      [14, attributes([1, Uint8Array.of(60, 0)])],
    ),
  ],
  [`${GET_SCAN} 4`]: [],
  [`${GET_STATION} 4`]: [station(Uint8Array.of(2, 0, 0, 0, 2, 1), [1, { u32: 20 }]), station(ADDRESS)],
  [`${GET_SCAN} 5`]: EOPNOTSUPP,
  [`${GET_STATION} 5`]: EOPNOTSUPP,
};

const devicesOf = (answers: Readonly<Record<string, Answer>>, families: Answer = known) => ({
  netlink: () =>
    kernelOf((type, body) => {
      if (type === CONTROLLER) return families;
      return answers[body.length > 4 ? `${body[0]} ${body.readUInt32LE(8)}` : `${body[0]}`] ?? ENODEV;
    }),
});

test('wifi: what the kernel says becomes the golden text', (t) => golden(t, wifi, devicesOf(ANSWERS)));

test('wifi: a device that fails costs itself alone', async () => {
  const { text, error } = await scrape(wifi, devicesOf({ ...ANSWERS, [`${GET_SCAN} 3`]: EIO }));
  assert.equal((error as { code?: string }).code, 'EIO');
  assert.match(text, /frequency_hertz\{device="wlan0"\}/);
  assert.match(text, /inactive_seconds\{device="ap0",mac_address="02:00:00:00:02:01"\} 0\.02\n/);
  assert.doesNotMatch(text, /station_info/);
});

test('wifi: a device that is gone when it is asked is no fault', async () => {
  const { success } = await scrape(wifi, devicesOf({ [GET_INTERFACE]: ANSWERS[GET_INTERFACE] as Answer }));
  assert.equal(success, true);
});

for (const [why, families] of [
  ['without nl80211', []],
  ['that is closed to this process', 1],
] as const)
  test(`wifi: a kernel ${why} has no data`, async () => {
    const { text, error } = await scrape(wifi, devicesOf({}, families));
    assert.equal(text, '');
    assert.ok(error instanceof NoDataError);
  });

test('wifi: the hook for tests of the reference is refused', () =>
  assert.rejects(
    async () => scrape(wifi, { ...devicesOf({}), argv: ['--collector.wifi.fixtures=/tmp'] }),
    new UsageError('--collector.wifi.fixtures is for tests of node_exporter: Keyhole asks the kernel only'),
  ));
