import assert from 'node:assert/strict';
import process from 'node:process';
import { mock, test } from 'node:test';
import arp from '../../src/collectors/arp.ts';
import { type Logger, silent } from '../../src/core/log.ts';
import { kernelOf } from '../helpers/netlink.ts';
import { samplesIn, testFile } from '../helpers/odd.ts';
import { golden, scrape, tree } from '../helpers/scrape.ts';

// Without the interface to the kernel there is no netlink, and what is read instead is a tree that tests can have.
// With netlink: rtnetlink.test.ts and the end-to-end tests.
mock.method(process, 'getBuiltinModule', () => undefined);

const HEADING = 'IP address       HW type     Flags       HW address            Mask     Device\n';
const ROW = '192.0.2.1        0x1         0x2         52:54:00:8b:1f:01     *        eth0\n';
const PUBLISHED = ROW.replace('0x2', '0xc').replace('eth0', '*');

test('arp: the fixtures scrape to the golden text', (t) => golden(t, arp));
test('arp: every row counts where netlink is not wanted', (t) =>
  golden(t, arp, { argv: ['--no-collector.arp.netlink'] }, 'arp_rows'));

const one = ['node_arp_entries{device="eth0"} 1'];

testFile(arp, 'proc/net/arp', [
  [
    'devices, without addresses that are answered for',
    HEADING + ROW + ROW + PUBLISHED,
    ['node_arp_entries{device="eth0"} 2'],
  ],
  ['a heading alone', HEADING, []],
  ['an address of AX.25', HEADING + ROW.replace('0x1', '0x3').replace(/\w+(:\w+)+/, 'N0CALL-1'), one],
  ...(
    [
      ['a row that is too short', ROW.replace('*', '')],
      ['a row that is too long', ROW.replace('eth0', 'eth0 eth1')],
      ['flags that are no number', ROW.replace('0x2', 'x2')],
      ['what is no hardware address', ROW.replace('52:54', '52:5g')],
    ] as const
  ).map(([why, row]) => [why, HEADING + row + ROW, one, row.slice(0, -1)] as const),
]);
testFile(
  arp,
  'proc/net/arp',
  [
    [
      'addresses that are answered for, where netlink is not wanted',
      HEADING + ROW + PUBLISHED,
      ['node_arp_entries{device="*"} 1', ...one],
    ],
  ],
  { argv: ['--no-collector.arp.netlink'] },
);

for (const [argv, devices] of [
  [['--collector.arp.device-include=^b'], ['br0']],
  [['--collector.arp.device-exclude=^(b|i)'], ['eno1']],
  [['--collector.arp.device-include=0$', '--collector.arp.device-exclude=^br'], ['ib0']],
] as const)
  test(`arp: ${argv.join(' ')} leaves ${devices}`, async () => {
    const { text } = await scrape(arp, { argv });
    assert.deepEqual(
      [...text.matchAll(/device="(.*?)"/g)].map(([, device]) => device),
      devices,
    );
  });

test('arp: fails without its file', async (t) => {
  assert.equal((await scrape(arp, { root: tree(t, {}) })).success, false);
});

test('arp: says that netlink cannot be used, unless it is not wanted', async () => {
  const warnings: string[] = [];
  const log: Logger = { ...silent, warn: (message) => warnings.push(message), with: () => log };
  await scrape(arp, { log, argv: ['--no-collector.arp.netlink'] });
  assert.equal(warnings.length, 0);
  await scrape(arp, { log });
  assert.deepEqual(warnings, ['netlink cannot be used: reading ARP entries from /proc']);
});

/** `struct ndmsg` of a neighbour by IPv4. */
const neighbour = (index: number, state: number): Buffer => Buffer.from([2, 0, 0, 0, index, 0, 0, 0, state, 0, 0, 1]);

test('arp: by netlink, all states but NOARP count, and devices that have gone are left out', async () => {
  const [reachable, failed, incomplete, permanent, noarp] = [0x02, 0x20, 0x01, 0x80, 0x40];
  const neighbours = [
    ...[reachable, failed, incomplete, permanent, noarp].map((state) => neighbour(2, state)),
    neighbour(1, noarp),
    neighbour(9, reachable),
  ];
  const netlink = () => kernelOf(() => neighbours.map((body) => [28, body] as const), { 1: 'lo', 2: 'eno1' });
  const { text, error } = await scrape(arp, { netlink });
  assert.equal(error, undefined);
  assert.deepEqual(samplesIn(text), ['node_arp_entries{device="eno1"} 4']);
});
