import assert from 'node:assert/strict';
import process from 'node:process';
import { mock, test } from 'node:test';
import fc from 'fast-check';
import netdev, { addressRows, interfaceRows, parseNetDev, scopeOf, sumOf } from '../../src/collectors/netdev.ts';
import { ParseError, UsageError } from '../../src/core/errors.ts';
import type { Tree } from '../../src/core/host.ts';
import { type Logger, silent } from '../../src/core/log.ts';
import { golden, prepared, scrape, tree } from '../helpers/scrape.ts';

// Without the interface to the kernel there is no netlink, and what is read instead is a tree that tests can have.
// With netlink: rtnetlink.test.ts and the end-to-end tests.
mock.method(process, 'getBuiltinModule', () => undefined);

const HEADING = 'Inter-|   Receive\n face |bytes\n';
const ROW = '  eth0: 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16\n';
const flag = (name: string, value: string): string => `--collector.netdev.device-${name}=${value}`;

test('netdev: the fixtures scrape to the golden text', (t) => golden(t, netdev));
test('netdev: the columns of /proc alone', (t) =>
  golden(t, netdev, { argv: ['--no-collector.netdev.netlink'] }, 'netdev_proc'));
test('netdev: every kind of error by itself, with aliases', (t) => {
  const argv = [
    '--collector.netdev.enable-detailed-metrics',
    '--collector.netdev.label-ifalias',
    flag('include', 'eno'),
  ];
  return golden(t, netdev, { argv }, 'netdev_detailed');
});
test('netdev: detailed names for the columns of /proc', (t) => {
  const argv = ['--collector.netdev.enable-detailed-metrics', '--no-collector.netdev.netlink', flag('include', 'eno1')];
  return golden(t, netdev, { argv }, 'netdev_detailed_proc');
});

test('parseNetDev reads a device and 16 counters, even where they touch', () => {
  const values = Array.from({ length: 16 }, (_, i) => i + 1);
  assert.deepEqual(parseNetDev(HEADING + ROW), [{ device: 'eth0', values }]);
  assert.deepEqual(parseNetDev(HEADING + ROW.replace(': ', ':')), [{ device: 'eth0', values }]);
  assert.deepEqual(parseNetDev(HEADING), []);
});

for (const [why, text] of [
  ['an empty row', '\n'],
  ['a row without a device', ROW.replace('eth0', '')],
  ['a row without a colon', ROW.replace(':', '')],
  ['too few columns', ROW.replace(' 16', '')],
  ['too many columns', ROW.replace(' 16', ' 16 17')],
  ['a negative counter', ROW.replace(' 3 ', ' -3 ')],
] as const)
  test(`parseNetDev refuses ${why}`, () => assert.throws(() => parseNetDev(HEADING + text), ParseError));

test('parseNetDev reads back what was written', () => {
  const device = fc.stringMatching(/^[!-9;-~]{1,15}$/);
  const values = fc.array(fc.nat(), { minLength: 16, maxLength: 16 });
  return fc.assert(
    fc.property(fc.array(fc.record({ device, values }, { noNullPrototype: true })), (devices) => {
      const rows = devices.map((each) => `${each.device.padStart(6)}:${each.values.join(' ')}\n`);
      assert.deepEqual(parseNetDev(HEADING + rows.join('')), devices);
    }),
  );
});

for (const [argv, devices] of [
  [[flag('include', '^e')], ['eno1', 'eno2']],
  [[flag('whitelist', '^e')], ['eno1', 'eno2']],
  [[flag('exclude', '^[ebl]')], []],
  [[flag('blacklist', 'o')], []],
  [
    [flag('exclude', '0$'), flag('include', '')],
    ['eno1', 'eno2', 'lo'],
  ],
] as const)
  test(`netdev: ${argv.join(' ')} leaves ${devices.join()}`, async () => {
    const { text } = await scrape(netdev, { argv });
    assert.deepEqual(
      [...text.matchAll(/^node_network_receive_bytes_total\{device="(.*?)"/gm)].map((m) => m[1]),
      devices,
    );
  });

for (const [a, b] of [
  ['include', 'exclude'],
  ['include', 'whitelist'],
  ['exclude', 'blacklist'],
  ['whitelist', 'blacklist'],
  ['whitelist', 'exclude'],
] as const)
  test(`netdev: ${a} and ${b} exclude one another`, () => {
    assert.throws(() => prepared(netdev, { argv: [flag(a, 'x'), flag(b, 'y')] }), UsageError);
  });

for (const [address, scope] of [
  ['127.0.0.1', 'link-local'],
  ['169.254.1.1', 'link-local'],
  ['224.0.0.251', 'link-local'],
  ['192.0.2.1', 'global'],
  ['10.0.0.1', 'global'],
  ['224.0.1.1', ''],
  ['0.0.0.0', ''],
  ['255.255.255.255', ''],
  ['::1', 'link-local'],
  ['fe80::1', 'link-local'],
  ['febf::1', 'link-local'],
  ['ff02::1', 'link-local'],
  ['ff01::1', 'interface-local'],
  ['2001:db8::1', 'global'],
  ['fd00::1', 'global'],
  ['ff05::1', ''],
  ['::', ''],
] as const)
  test(`scopeOf ${address} is ${JSON.stringify(scope)}`, () => assert.equal(scopeOf(address), scope));

test('interfaceRows tells device, address, prefix length and scope', () => {
  const v4 = { address: '192.0.2.7', netmask: '255.255.255.0', mac: '52:54:00:1f:8b:01', internal: false };
  const v6 = { address: 'fe80::7', netmask: 'ffff:ffff:ffff:ffff::', mac: v4.mac, internal: false, scopeid: 2 };
  assert.deepEqual(
    interfaceRows({
      eno1: [
        { ...v4, family: 'IPv4', cidr: '192.0.2.7/24' },
        { ...v6, family: 'IPv6', cidr: 'fe80::7/64' },
      ],
      eno2: undefined,
    }),
    [
      ['eno1', '192.0.2.7', '24', 'global'],
      ['eno1', 'fe80::7', '64', 'link-local'],
    ],
  );
});

test("netdev: this machine's addresses, on demand", async () => {
  const { text, success } = await scrape(netdev, { argv: ['--collector.netdev.address-info'] });
  assert.ok(success);
  assert.match(
    text,
    /^node_network_address_info\{address="127\.0\.0\.1",device="lo",netmask="8",scope="link-local"\} 1$/m,
  );
});

test('netdev: a device that sysfs does not have, or that is going, keeps its columns', async (t) => {
  const root = tree(t, { 'proc/net/dev': HEADING + ROW });
  const { text, success } = await scrape(netdev, { root, argv: ['--collector.netdev.label-ifalias'] });
  assert.ok(success);
  assert.match(text, /^node_network_receive_bytes_total\{device="eth0",ifalias=""\} 1$/m);
  const going = (fs: Tree): Tree => ({
    ...fs,
    attribute() {
      throw Object.assign(new Error('going'), { code: 'EINVAL' });
    },
  });
  assert.ok((await scrape(netdev, { root, wrap: going })).success);
});

test('netdev: fails without its file, and over a counter that is no number', async (t) => {
  assert.equal((await scrape(netdev, { root: tree(t, {}) })).success, false);
  const files = { 'proc/net/dev': HEADING + ROW, 'sys/class/net/eth0/statistics/rx_nohandler': 'x\n' };
  assert.ok((await scrape(netdev, { root: tree(t, files) })).error instanceof ParseError);
});

test('netdev: says once that netlink cannot be used, and not at all where it is not wanted', async () => {
  const warnings: string[] = [];
  const log: Logger = { ...silent, warn: (message) => warnings.push(message), with: () => log };
  await prepared(netdev, { log, argv: ['--no-collector.netdev.netlink'] })();
  assert.equal(warnings.length, 0);
  const twice = prepared(netdev, { log, argv: ['--collector.netdev.address-info'] });
  await twice();
  await twice();
  assert.deepEqual(warnings, ['netlink cannot be used: reading counters of network devices from /proc and sysfs']);
});

test('addressRows names devices, and leaves out those that have gone', () => {
  const names = ['', 'lo', 'eno1'];
  const asked: number[] = [];
  const deviceName = (index: number): string | undefined => {
    asked.push(index);
    return names[index];
  };
  const address = (index: number, text: string, prefixLength: number) => ({ index, address: text, prefixLength });
  assert.deepEqual(
    addressRows(
      [address(1, '127.0.0.1', 8), address(2, '192.0.2.7', 24), address(9, '192.0.2.9', 24), address(2, 'fe80::7', 64)],
      deviceName,
    ),
    [
      ['lo', '127.0.0.1', '8', 'link-local'],
      ['eno1', '192.0.2.7', '24', 'global'],
      ['eno1', 'fe80::7', '64', 'link-local'],
    ],
  );
  assert.deepEqual(asked, [1, 2, 9]);
});

test('sumOf adds counters, unless the kernel lacks one', () => {
  assert.equal(sumOf([1, 2, 4], [0, 2]), 5);
  assert.equal(sumOf([1, 2, 4], [2, 3]), undefined);
});
