import assert from 'node:assert/strict';
import process from 'node:process';
import { mock, test } from 'node:test';
import arp, { countNeighbours, parseArp } from '../../src/collectors/arp.ts';
import { ParseError } from '../../src/core/errors.ts';
import { type Logger, silent } from '../../src/core/log.ts';
import { golden, scrape, tree } from '../helpers/scrape.ts';

// Without the interface to the kernel there is no netlink, and what is read instead is a tree that tests can have.
// With netlink: rtnetlink.test.ts and the end-to-end tests.
mock.method(process, 'getBuiltinModule', () => undefined);

const HEADING = 'IP address       HW type     Flags       HW address            Mask     Device\n';
const ROW = '192.0.2.1        0x1         0x2         52:54:00:8b:1f:01     *        eth0\n';

test('arp: the fixtures scrape to the golden text', (t) => golden(t, arp));
test('arp: every row counts where netlink is not wanted', (t) =>
  golden(t, arp, { argv: ['--no-collector.arp.netlink'] }, 'arp_rows'));

test('parseArp reads devices, and tells addresses that are answered for', () => {
  assert.deepEqual(parseArp(HEADING + ROW + ROW.replace('0x2', '0xc').replace('eth0', '*')), [
    { device: 'eth0', published: false },
    { device: '*', published: true },
  ]);
  assert.deepEqual(parseArp(HEADING), []);
});

for (const [why, text] of [
  ['a row that is too short', ROW.replace('*', '')],
  ['a row that is too long', ROW.replace('eth0', 'eth0 eth1')],
  ['flags that are no number', ROW.replace('0x2', 'x2')],
  ['what is no hardware address', ROW.replace('52:54', '52:5g')],
  ['an empty row', `${ROW}\n`],
] as const)
  test(`parseArp refuses ${why}`, () => assert.throws(() => parseArp(HEADING + text), ParseError));

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

test('countNeighbours counts all states but NOARP, and leaves out devices that have gone', () => {
  const [reachable, failed, incomplete, permanent, noarp] = [0x02, 0x20, 0x01, 0x80, 0x40];
  const neighbours = [
    ...[reachable, failed, incomplete, permanent, noarp].map((state) => ({ index: 2, state })),
    { index: 1, state: noarp },
    { index: 9, state: reachable },
  ];
  assert.deepEqual([...countNeighbours(neighbours, (index) => ['', 'lo', 'eno1'][index])], [['eno1', 4]]);
});
