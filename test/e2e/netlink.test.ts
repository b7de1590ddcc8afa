// Network devices of every kind, in a network namespace of the test's own, as Debian's node_exporter and Keyhole see them
// at the same time. The file runs itself again inside the namespace, which goes away with it.
import assert from 'node:assert/strict';
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { type TestContext, test } from 'node:test';
import { lacksPackages, loudly, notRoot } from '../helpers/debian.ts';
import { type Exporter, KEYHOLE, startExporter } from '../helpers/exporter.ts';
import { parseExposition, type ScrapedFamily } from '../helpers/exposition.ts';
import { inNamespaces } from '../helpers/namespace.ts';

/** What is Keyhole's default, 1.5.0 has to be told. */
const NETDEV_REFERENCE = ['--collector.netdev.netlink', '--collector.netdev.device-exclude=^$'];
const REFERENCE = ['/usr/bin/prometheus-node-exporter'];
/** As nobody, without a capability and without a way to one. */
const SEALED = ['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups', '--no-new-privs', '--bounding-set=-all'];

function cannot(): string | false {
  if (notRoot() !== false) return 'network devices: needs root';
  if (!existsSync('/proc/self/ns/net')) return 'network devices: this kernel has no network namespaces';
  return lacksPackages('iproute2', 'iputils-ping', 'util-linux', 'prometheus-node-exporter');
}

const ip = (...words: readonly string[]): void => {
  execFileSync('ip', words, { stdio: 'pipe' });
};

/** Devices, addresses and neighbours, with everything that could be told differently. */
function furnish(): void {
  execFileSync('mount', ['-t', 'sysfs', 'sysfs', '/sys']);
  for (const line of [
    'link set lo up',
    'link add v0 type veth peer name v1',
    'link add i0 type ifb',
    'link add br0 type bridge',
    'link add m0 link v0 type macvlan',
    'link set v1 master br0',
    'link property add dev v0 altname veth-with-a-longer-name altname second',
    'link set v0 group 7 mtu 1400 txqueuelen 55',
    'link set v0 up',
    'link set v1 up',
    'link set br0 up',
    'tuntap add t0 mode tun',
    'addr add 192.0.2.1/24 dev v0',
    'addr add 192.0.2.77/32 peer 192.0.2.78 dev i0',
    'addr add 2001:db8::1/64 dev v0 nodad',
    'neigh add 192.0.2.10 lladdr 02:00:00:00:00:10 nud permanent dev v0',
    'neigh add 192.0.2.11 lladdr 02:00:00:00:00:11 nud noarp dev v0',
    'neigh add 192.0.2.12 nud failed dev v0',
    'neigh add 192.0.2.13 lladdr 02:00:00:00:00:13 nud permanent dev br0',
    'neigh add proxy 192.0.2.14 dev v0',
    'neigh add 2001:db8::9 lladdr 02:00:00:00:00:10 nud permanent dev v0',
  ])
    ip(...line.split(' '));
  ip('link', 'set', 'br0', 'alias', 'a "quoted" bridge');
  spawnSync('ping', ['-c', '1', '-W', '1', '-b', '192.0.2.255']);
}

const only = (...names: readonly string[]): string[] => [
  '--collector.disable-defaults',
  ...names.map((name) => `--collector.${name}`),
];

async function started(t: TestContext, command: readonly string[], args: readonly string[]): Promise<Exporter> {
  const exporter = await startExporter(command, args);
  t.after(() => exporter.stop());
  return exporter;
}

type Families = ReadonlyMap<string, ScrapedFamily>;
const own = (families: Families): [string, ScrapedFamily][] =>
  [...families].filter(([name]) => /^node_(network|arp)_/.test(name));

/** What netlink says in netclass and 1.5.0 does not tell yet. */
const NEWER = ['altnames_info', 'address_assign_type', 'device_id', 'name_assign_type'];

/** Differences between the two, but for what moves while they are asked: the loopback device that they are asked over. */
function differences(ours: Families, theirs: Families): string[] {
  const faults: string[] = [];
  for (const [name, { type, samples }] of own(theirs)) {
    const mine = ours.get(name);
    if (mine?.type !== type) faults.push(`${name} is a ${mine?.type}, not a ${type}`);
    for (const [labels, value] of samples) {
      const moves = labels.includes('device="lo"') && /_(bytes|packets)_total$/.test(name);
      const found = mine?.samples.get(labels);
      if (found !== value && !(moves && found !== undefined)) faults.push(`${name}${labels} is ${found}, not ${value}`);
    }
    for (const labels of mine?.samples.keys() ?? [])
      if (!samples.has(labels)) faults.push(`${name}${labels} is too much`);
  }
  for (const [name] of own(ours)) if (!theirs.has(name)) faults.push(`${name} is new`);
  return faults;
}

const fresh = (name: string): string => `node_network_${name} is new`;
/** 1.5.0 reads /proc/net/arp, which lists the address that is answered for. */
const PROXY = 'node_arp_entries{device="v0"} is 2, not 3';

/** Devices may still send their first packets: both are asked until they have been asked at the same state. */
async function settled(ours: Exporter, theirs: Exporter): Promise<string[]> {
  let faults: string[] = [];
  for (let tries = 0; tries < 20; tries += 1) {
    const [a, b] = await Promise.all([ours.scrape(), theirs.scrape()]);
    faults = differences(parseExposition(a), parseExposition(b));
    if (!faults.some((fault) => /_total\{/.test(fault))) return faults;
  }
  return faults;
}

/** Each takes some milliseconds. */
const PASSING = 50;

function inside(): void {
  furnish();

  test('netdev and arp by netlink are what the reference gives, in a process that is sealed', async (t) => {
    const flags = [...only('netdev', 'arp'), '--collector.netdev.address-info'];
    const ours = await started(t, [...SEALED, ...KEYHOLE], flags);
    const theirs = await started(t, REFERENCE, [...flags, ...NETDEV_REFERENCE]);
    assert.deepEqual(await settled(ours, theirs), [PROXY]);
    const status = readFileSync(`/proc/${ours.child.pid}/status`, 'latin1');
    assert.match(status, /^CapEff:\t0+$/m);
    assert.match(status, /^Uid:\t65534\t/m);
    assert.doesNotMatch(ours.log(), /level=(WARN|ERROR)/);
    const text = await ours.scrape();
    assert.match(text, /^node_network_transmit_packets_total\{device="v0"\} [1-9]/m);
    // Of a device that is down, with another address at its other end.
    assert.match(
      text,
      /^node_network_address_info\{address="192\.0\.2\.77",device="i0",netmask="32",scope="global"\} 1$/m,
    );
  });

  test('netdev with detailed metrics and netclass by netlink are what the reference gives', async (t) => {
    const netlink = ['--collector.netdev.enable-detailed-metrics', '--collector.netclass.netlink'];
    const flags = [...only('netdev', 'arp', 'netclass'), ...netlink];
    const ours = await started(t, [...SEALED, ...KEYHOLE], flags);
    const theirs = await started(t, REFERENCE, [...flags, ...NETDEV_REFERENCE]);
    assert.deepEqual((await settled(ours, theirs)).sort(), [PROXY, ...NEWER.map(fresh)].sort());
    const text = await ours.scrape();
    assert.match(text, /^node_network_altnames_info\{altname="second",device="v0"\} 1$/m);
    assert.match(text, /^node_network_info\{.*device="v0",duplex="Full",ifalias="",operstate="up"\} 1$/m);
    assert.match(text, /^node_network_speed_bytes\{device="v0"\} 1\.25e\+09$/m);
  });

  test('netclass by netlink with statistics is what the reference gives', async (t) => {
    const flags = [...only('netclass'), '--collector.netclass.netlink', '--collector.netclass_rtnl.with-stats'];
    const ours = await started(t, [...SEALED, ...KEYHOLE], flags);
    const theirs = await started(t, REFERENCE, flags);
    assert.deepEqual((await settled(ours, theirs)).sort(), NEWER.map(fresh).sort());
  });

  test('hundreds of devices fit, and devices that come and go meanwhile do no harm', async (t) => {
    const names = Array.from({ length: 300 }, (_, i) => `many${i}`);
    execFileSync('ip', ['-batch', '-'], { input: names.map((name) => `link add ${name} type ifb\n`).join('') });
    const flags = [...only('netdev', 'arp', 'netclass'), '--collector.netclass.netlink'];
    const ours = await started(t, [...SEALED, ...KEYHOLE], flags);
    const passing = spawn('ip', ['-batch', '-'], { stdio: ['pipe', 'ignore', 'ignore'] });
    passing.stdin.end('link add passing type ifb\nlink del passing\n'.repeat(PASSING));
    let rounds = 0;
    while (passing.exitCode === null || rounds === 0) {
      rounds += 1;
      const families = parseExposition(await ours.scrape());
      for (const name of ['netdev', 'netclass', 'arp'])
        assert.equal(families.get('node_scrape_collector_success')?.samples.get(`{collector="${name}"}`), 1, name);
      for (const family of ['node_network_receive_bytes_total', 'node_network_mtu_bytes']) {
        const found = families.get(family)?.samples;
        for (const name of names) assert.ok(found?.has(`{device="${name}"}`), `${family} of ${name}`);
      }
    }
    t.diagnostic(`${rounds} scrapes`);
    assert.doesNotMatch(ours.log(), /level=(WARN|ERROR)/);
  });
}

inNamespaces('network devices', loudly(cannot()), import.meta.filename, inside);
