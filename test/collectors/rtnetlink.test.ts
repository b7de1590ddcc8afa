// What collectors tell of this very machine, by netlink. The trees that they are given have nothing in them.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import arp from '../../src/collectors/arp.ts';
import netclass from '../../src/collectors/netclass.ts';
import netdev from '../../src/collectors/netdev.ts';
import { scrape, tree } from '../helpers/scrape.ts';

/** The names of families that tell of the loopback device, without `node_network_` and `_total`. */
const familiesOfLo = (text: string): string[] =>
  [...text.matchAll(/^node_network_(\w+)\{.*device="lo".*$/gm)].map(([, name = '']) => name.replace(/_total$/, ''));

const COMMON = ['compressed', 'packets', 'bytes'].flatMap((what) => [`receive_${what}`, `transmit_${what}`]);
const SUMS = [
  ...['errs', 'drop', 'fifo', 'frame', 'multicast', 'nohandler'].map((what) => `receive_${what}`),
  ...['errs', 'drop', 'fifo', 'colls', 'carrier'].map((what) => `transmit_${what}`),
];
const SINGLE = [
  ...['multicast', 'collisions', 'receive_nohandler'],
  ...['errors', 'dropped', 'fifo_errors'].flatMap((what) => [`receive_${what}`, `transmit_${what}`]),
  ...['length', 'over', 'crc', 'frame', 'missed'].map((what) => `receive_${what}_errors`),
  ...['aborted', 'carrier', 'heartbeat', 'window'].map((what) => `transmit_${what}_errors`),
];

for (const [argv, families] of [
  [[], [...COMMON, ...SUMS]],
  [['--collector.netdev.enable-detailed-metrics'], [...COMMON, ...SINGLE]],
] as const)
  test(`netdev${argv.map((arg) => ` ${arg}`).join('')}: the machine's own devices, whatever the path of procfs`, async (t) => {
    const { text, error } = await scrape(netdev, { root: tree(t, {}), argv });
    assert.equal(error, undefined);
    assert.deepEqual(familiesOfLo(text), [...families].sort());
    assert.match(text, /^node_network_receive_bytes_total\{device="lo"\} \d/m);
  });

test('netdev: aliases are what netlink says of the machine, and go to a label of every family', async (t) => {
  const root = tree(t, { 'sys/class/net/lo/ifalias': 'of another machine\n' });
  const argv = ['--collector.netdev.label-ifalias', '--collector.netdev.device-include=^lo$'];
  const { text, error } = await scrape(netdev, { root, argv });
  assert.equal(error, undefined);
  const samples = text.match(/^node_.*$/gm) ?? [];
  assert.equal(samples.length, COMMON.length + SUMS.length);
  for (const sample of samples) assert.match(sample, /\{device="lo",ifalias=""\} /);
});

test('netdev: addresses, of the loopback device too', async (t) => {
  const { text } = await scrape(netdev, { root: tree(t, {}), argv: ['--collector.netdev.address-info'] });
  const row = 'node_network_address_info{address="127.0.0.1",device="lo",netmask="8",scope="link-local"} 1';
  assert.ok(text.includes(`\n${row}\n`), text);
});

test('arp: answers without /proc', async (t) => {
  const { text, error } = await scrape(arp, { root: tree(t, {}) });
  assert.equal(error, undefined);
  for (const line of text.match(/^node_.*$/gm) ?? []) assert.match(line, /^node_arp_entries\{device="[^"]+"\} [1-9]/);
});

const ATTRIBUTES = [
  ...['up', 'info', 'carrier', 'carrier_changes', 'carrier_up_changes', 'carrier_down_changes', 'dormant', 'flags'],
  ...[
    'iface_id',
    'iface_link',
    'iface_link_mode',
    'mtu_bytes',
    'net_dev_group',
    'transmit_queue_length',
    'protocol_type',
  ],
];

test('netclass: by netlink, without the label that it has not', async (t) => {
  const argv = ['--collector.netclass.netlink', '--collector.netclass.ignored-devices=^e'];
  const { text, error } = await scrape(netclass, { root: tree(t, {}), argv });
  assert.equal(error, undefined);
  const found = new Set(familiesOfLo(text));
  for (const name of ATTRIBUTES) assert.ok(found.has(name), name);
  const info =
    'node_network_info{address="00:00:00:00:00:00",broadcast="00:00:00:00:00:00",device="lo",duplex="",ifalias="",operstate="unknown"} 1';
  assert.ok(text.includes(`\n${info}\n`), text);
  assert.match(text, /^node_network_protocol_type\{device="lo"\} 772$/m);
  assert.match(text, /^node_network_iface_link\{device="lo"\} 1$/m);
  assert.ok(!found.has('receive_bytes') && !/device="e/.test(text));
});

test('netclass: statistics by netlink are gauges', async (t) => {
  const argv = ['--collector.netclass.netlink', '--collector.netclass_rtnl.with-stats'];
  const { text, error } = await scrape(netclass, { root: tree(t, {}), argv });
  assert.equal(error, undefined);
  assert.deepEqual(
    familiesOfLo(text).filter((name) => [...COMMON, ...SINGLE].includes(name)),
    [...COMMON, ...SINGLE].sort(),
  );
  assert.match(text, /^# TYPE node_network_receive_bytes_total gauge$/m);
});
