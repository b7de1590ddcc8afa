import assert from 'node:assert/strict';
import { test } from 'node:test';
import ethtool, { cleanedName, familyName } from '../../src/collectors/ethtool.ts';
import { NoDataError } from '../../src/core/errors.ts';
import { createEthtool } from '../../src/syscall/ethtool.ts';
import { type DriverFacts, driversOf } from '../helpers/ethtool.ts';
import { bytesTree, golden, scrape, tree } from '../helpers/scrape.ts';

const driving = (devices: Readonly<Record<string, DriverFacts>>) => ({
  system: { ethtool: createEthtool(driversOf(devices)) },
});
const folder = (...devices: readonly string[]) =>
  Object.fromEntries(devices.map((device) => [`sys/class/net/${device}/mtu`, '1500\n']));

const EIO = 5;
const EPROTO = 71;
/** 10baseT to 1000baseT, autonegotiation, TP, MII, pauses, 2.5 and 5 Gbit/s. */
const COPPER = [0x62ef, 0b11000 << 12, 0, 0] as const;

const DEVICES: Readonly<Record<string, DriverFacts>> = {
  eno1: {
    texts: ['igc', '6.1.0', '2017:888d', '0000:02:00.0', 'rom'],
    autonegotiation: 1,
    supported: COPPER,
    advertised: [0x60, 0, 0, 0],
    statistics: [
      ['rx_packets', 100n],
      ['tx_packets', 200n],
      ['rx_bytes', 2n ** 40n],
      ['rx_dropped', 1n],
      ['rx_errors', 2n],
      ['tx_bytes', 3n],
      ['tx_errors', 4n],
      ['Queue[0] Rx/drops', 5n],
      ['tx_queue_0_rx', 6n],
      // These three become one name.
      ['a b', 7n],
      ['a_b', 8n],
      ['A.b', 9n],
      ['twice', 10n],
      ['twice', 11n],
      ['', 12n],
    ],
  },
  veth0: { texts: ['veth', '1.0', '', '', ''], supported: [0, 0, 0, 0], statistics: [['peer_ifindex', 4n]] },
  tun0: { texts: ['tun', '1.6', 'N/A', 'tun', ''] },
  lo: {},
};

test('ethtool: what drivers say becomes the golden text', (t) =>
  golden(t, ethtool, { ...driving(DEVICES), root: tree(t, folder('bonding_masters', ...Object.keys(DEVICES))) }));

for (const [name, cleaned, family] of [
  ['rx_errors', 'rx_errors', 'received_errors'],
  ['Queue[0] AllocFails', 'Queue_0_AllocFails', 'queue_0_allocfails'],
  ['Tx LPI entry count', 'Tx_LPI_entry_count', 'transmitted_lpi_entry_count'],
  ['[3]: tx_bytes', '_3_tx_bytes', '3_transmitted_bytes'],
  ['     err', '_err', 'err'],
  ['rx_rx_rx', 'rx_rx_rx', 'received_rx_received'],
  ['rxtx_crx', 'rxtx_crx', 'rxtx_crx'],
  ['caf\u00e9__tx', 'caf_tx', 'caf_transmitted'],
] as const)
  test(`a statistic ${JSON.stringify(name)} goes to node_ethtool_${family}`, () =>
    assert.deepEqual([cleanedName(name), familyName(cleanedName(name))], [cleaned, family]));

for (const [argv, wanted] of [
  [['--collector.ethtool.metrics-include=^rx_'], ['received_bytes_total', 'received_dropped_total']],
  [['--collector.ethtool.metrics-include=^Queue'], ['queue_0_received_drops']],
  [['--collector.ethtool.device-include=^v'], ['peer_ifindex']],
  [['--collector.ethtool.device-exclude=^eno'], ['peer_ifindex']],
] as const)
  test(`ethtool: ${argv.join(' ')} leaves ${wanted.join()}`, async (t) => {
    const root = tree(t, folder(...Object.keys(DEVICES)));
    const { text } = await scrape(ethtool, { ...driving(DEVICES), argv, root });
    const found = [...text.matchAll(/^node_ethtool_(?!info)(\w+)\{/gm)].map(([, name]) => name);
    assert.deepEqual(found.slice(0, wanted.length), wanted);
  });

test('ethtool: a device that is broken just now has no series, and one that fails costs itself alone', async (t) => {
  const root = tree(t, folder('bad', 'broken', 'good'));
  const good = { texts: ['g', '', '', '', ''] };
  const broken = { bad: { errno: EPROTO }, broken: { errno: EIO }, good };
  const { text, error } = await scrape(ethtool, { ...driving(broken), root });
  assert.equal((error as { code?: string }).code, 'EPROTO');
  assert.deepEqual(
    [...text.matchAll(/device="(.*?)"/g)].map(([, device]) => device),
    ['good'],
  );
  const { success } = await scrape(ethtool, {
    ...driving({ broken: { errno: EIO }, good }),
    root: tree(t, folder('broken', 'good')),
  });
  assert.equal(success, true);
});

test('ethtool: a driver with a counter for each of very many queues has a series for each', async (t) => {
  const statistics = Array.from({ length: 6000 }, (_, i) => [`rx${i}_packets`, BigInt(i)] as const);
  const devices = { eno1: { texts: ['mlx5_core', '', '', '', ''], statistics } };
  const { text, error } = await scrape(ethtool, { ...driving(devices), root: tree(t, folder('eno1')) });
  assert.equal(error, undefined);
  assert.equal(text.match(/^node_ethtool_rx\d+_packets\{device="eno1"\} \d+$/gm)?.length, statistics.length);
});

test('ethtool: without a list of devices there is no data', async (t) => {
  assert.ok((await scrape(ethtool, { ...driving({}), root: tree(t, {}) })).error instanceof NoDataError);
});

test('ethtool: a device may be called anything', async (t) => {
  const facts = { texts: ['igc', '', '', '', ''], statistics: [['rx', 1n]] } as const;
  const names = ['eth\xc3\xbc', 'eth\xff'];
  const root = bytesTree(t, Object.fromEntries(names.map((name) => [`sys/class/net/${name}/mtu`, ''])));
  const devices = driving(Object.fromEntries(names.map((name) => [name, facts])));
  const { text } = await scrape(ethtool, { root, ...devices });
  for (const device of ['ethü', 'eth\ufffd']) {
    assert.match(text, new RegExp(`^node_ethtool_info\\{.*device="${device}"`, 'm'));
    assert.match(text, new RegExp(`^node_ethtool_received\\{device="${device}"\\} 1$`, 'm'));
  }
  const only = await scrape(ethtool, { root, ...devices, argv: ['--collector.ethtool.device-include=^ethü$'] });
  assert.doesNotMatch(only.text, /\ufffd/);
  assert.match(only.text, /device="ethü"/);
});
