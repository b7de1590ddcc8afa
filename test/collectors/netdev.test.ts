import assert from 'node:assert/strict';
import process from 'node:process';
import { mock, test } from 'node:test';
import fc from 'fast-check';
import netdev, { scopeOf } from '../../src/collectors/netdev.ts';
import { ParseError, UsageError } from '../../src/core/errors.ts';
import { formatFloat } from '../../src/core/format.ts';
import { type Logger, silent } from '../../src/core/log.ts';
import { alteredDisk, refusal } from '../helpers/disk.ts';
import { attributes, kernelOf, u64s } from '../helpers/netlink.ts';
import { samplesIn, testFile } from '../helpers/odd.ts';
import { bytesTree, golden, prepared, scrape, tree } from '../helpers/scrape.ts';

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

const RECEIVED = ['bytes', 'packets', 'errs', 'drop', 'fifo', 'frame', 'compressed', 'multicast'];
const SENT = ['bytes', 'packets', 'errs', 'drop', 'fifo', 'colls', 'carrier', 'compressed'];
const COLUMNS = [...RECEIVED.map((name) => `receive_${name}`), ...SENT.map((name) => `transmit_${name}`)];
/** What is written of a row. */
const samplesOf = (device: string, values: readonly number[]): string[] =>
  COLUMNS.map((name, i) => `node_network_${name}_total{device="${device}"} ${formatFloat(values[i] as number)}`);
const eth0 = samplesOf(
  'eth0',
  Array.from({ length: 16 }, (_, i) => i + 1),
).sort();

testFile(netdev, 'proc/net/dev', [
  ['a device and 16 counters', HEADING + ROW, eth0],
  ['a device and a counter that touch', HEADING + ROW.replace(': ', ':'), eth0],
  [
    'an alias',
    HEADING + ROW + ROW.replace('eth0', 'eth0:1'),
    [...eth0, ...eth0.map((sample) => sample.replace('eth0', 'eth0:1'))].sort(),
  ],
  ['a heading alone', HEADING, []],
  ...(
    [
      ['a row without a device', ROW.replace('eth0:', '')],
      ['a row without a name', ROW.replace('eth0', '')],
      ['a row without a colon', ROW.replace(':', '')],
      ['too few columns', ROW.replace(' 16', '')],
      ['a negative counter', ROW.replace(' 3 ', ' -3 ')],
    ] as const
  ).map(([why, row]) => [why, HEADING + row + ROW, eth0, row.slice(0, -1)] as const),
]);

test('netdev reads back what was written', (t) => {
  const device = fc.stringMatching(/^[!#-9;-[\]-~]{1,15}$/);
  const values = fc.array(fc.nat(), { minLength: 16, maxLength: 16 });
  return fc.assert(
    fc.asyncProperty(
      fc.uniqueArray(fc.record({ device, values }), { selector: (each) => each.device }),
      async (all) => {
        const rows = all.map((each) => `${each.device.padStart(6)}:${each.values.join(' ')}\n`);
        const { text, error } = await scrape(netdev, { root: tree(t, { 'proc/net/dev': HEADING + rows.join('') }) });
        assert.equal(error, undefined);
        assert.deepEqual(samplesIn(text).sort(), all.flatMap((each) => samplesOf(each.device, each.values)).sort());
      },
    ),
    { numRuns: 30 },
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

test('netdev: addresses of the C library, with device, prefix length and scope', async () => {
  const interfaceAddresses = () => [
    { device: 'eno1', address: '192.0.2.7', prefixLength: '24' },
    { device: 'eno1', address: 'fe80::7', prefixLength: '64' },
  ];
  const argv = ['--collector.netdev.address-info', flag('include', '^$')];
  const { text } = await scrape(netdev, { argv, system: { interfaceAddresses } });
  assert.deepEqual(samplesIn(text), [
    'node_network_address_info{address="192.0.2.7",device="eno1",netmask="24",scope="global"} 1',
    'node_network_address_info{address="fe80::7",device="eno1",netmask="64",scope="link-local"} 1',
  ]);
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
  const root = tree(t, { 'proc/net/dev': HEADING + ROW, 'sys/class/net/eth0/ifalias': 'x\n' });
  const argv = ['--collector.netdev.label-ifalias'];
  for (const code of ['ENOENT', 'EACCES', 'EINVAL']) {
    const bytes = (path: string, real: Buffer): Buffer => {
      if (path.includes('/sys/class/net/')) throw refusal(code, path);
      return real;
    };
    const { text, success } = await scrape(netdev, { root, argv, disk: alteredDisk({ bytes }) });
    assert.ok(success, code);
    assert.match(text, /^node_network_receive_bytes_total\{device="eth0",ifalias=""\} 1$/m);
  }
});

test('netdev: without its file there is what sysfs has; a counter that is no number costs itself alone', async (t) => {
  assert.equal((await scrape(netdev, { root: tree(t, {}) })).success, false);
  const [file, other] = ['eth0', 'eth1'].map((device) => `sys/class/net/${device}/statistics/rx_nohandler`);
  const root = tree(t, { 'proc/net/dev': HEADING + ROW, [file as string]: 'x\n', [other as string]: '5\n' });
  const { text, error, faultsTotal } = await prepared(netdev, { root })();
  assert.equal((error as Error).message, new ParseError(`${root}/${file}`, 'x').message);
  assert.equal(faultsTotal, 1);
  assert.deepEqual(samplesIn(text).sort(), [...eth0, 'node_network_receive_nohandler_total{device="eth1"} 5'].sort());
});

test('netdev: says once that netlink cannot be used, and not at all where it is not wanted', async () => {
  const warnings: string[] = [];
  const log: Logger = { ...silent, warn: (message) => warnings.push(message), with: () => log };
  await prepared(netdev, { log, argv: ['--no-collector.netdev.netlink'] })();
  assert.equal(warnings.length, 0);
  const twice = prepared(netdev, { log, argv: ['--collector.netdev.address-info'] });
  await twice();
  await twice();
  assert.deepEqual(warnings, [
    'netlink cannot be used: reading counters of network devices from /proc and sysfs',
    'netlink cannot be used: reading addresses of the C library',
  ]);
});

const LINK = Buffer.from([0, 0, 1, 0, 2, 0, 0, 0, 0x43, 0x10, 0x01, 0, 0, 0, 0, 0]);
/** `struct ifaddrmsg`, then IFA_ADDRESS. */
const address = (index: number, prefixLength: number, ...bytes: readonly number[]): Buffer =>
  Buffer.concat([
    Buffer.from([bytes.length === 4 ? 2 : 10, prefixLength, 0, 0, index, 0, 0, 0]),
    attributes([1, Uint8Array.from(bytes)]),
  ]);

/** Netlink that says these counters of the device eno1, and some addresses. */
const netlinkWith = (counters: readonly bigint[]) => () =>
  kernelOf(
    (type) =>
      type === 18
        ? [[16, Buffer.concat([LINK, attributes([3, 'eno1'], [23, u64s(...counters)])])]]
        : [
            [20, address(1, 8, 127, 0, 0, 1)],
            [20, address(2, 24, 192, 0, 2, 7)],
            [20, address(9, 24, 192, 0, 2, 9)],
            [20, address(2, 64, 0xfe, 0x80, ...Array(13).fill(0), 7)],
          ],
    { 1: 'lo', 2: 'eno1' },
  );
const COUNTERS = Array.from({ length: 24 }, (_, i) => BigInt(2 ** i));

test('netdev: by netlink, addresses have the names of their devices; those of devices that have gone are left out', async () => {
  const { text, error } = await scrape(netdev, {
    argv: ['--collector.netdev.address-info'],
    netlink: netlinkWith(COUNTERS),
  });
  assert.equal(error, undefined);
  assert.deepEqual(
    samplesIn(text).filter((sample) => sample.includes('address_info')),
    [
      'node_network_address_info{address="127.0.0.1",device="lo",netmask="8",scope="link-local"} 1',
      'node_network_address_info{address="192.0.2.7",device="eno1",netmask="24",scope="global"} 1',
      'node_network_address_info{address="fe80::7",device="eno1",netmask="64",scope="link-local"} 1',
    ],
  );
});

for (const [count, drop, isComplete] of [
  [24, 64 + 32768, true],
  [16, 64 + 32768, false],
  [15, undefined, false],
] as const)
  test(`netdev: sums of ${count} counters by netlink, unless the kernel lacks one of them`, async () => {
    const { text, error } = await scrape(netdev, { netlink: netlinkWith(COUNTERS.slice(0, count)) });
    assert.equal(error, undefined);
    const sample = /^node_network_receive_drop_total\{device="eno1"\} (.*)$/m.exec(text)?.[1];
    assert.equal(sample, drop === undefined ? undefined : String(drop));
    assert.match(text, /^node_network_receive_bytes_total\{device="eno1"\} 4$/m);
    assert.equal(text.includes('receive_nohandler'), isComplete);
  });

test('netdev: a device of /proc may be called anything, and has its alias', async (t) => {
  const row = (name: string): string => ROW.replace('eth0', name);
  const root = bytesTree(t, {
    'proc/net/dev': `${HEADING}${row('eth\xc3\xbc')}${row('eth\xfc')}`,
    'sys/class/net/eth\xc3\xbc/ifalias': 'text\n',
    'sys/class/net/eth\xfc/ifalias': 'bytes\n',
  });
  const argv = ['--no-collector.netdev.netlink', '--collector.netdev.label-ifalias'];
  const { text } = await scrape(netdev, { root, argv });
  assert.match(text, /^node_network_receive_bytes_total\{device="ethü",ifalias="text"\} 1$/m);
  assert.match(text, /^node_network_receive_bytes_total\{device="eth\ufffd",ifalias="bytes"\} 1$/m);
});
