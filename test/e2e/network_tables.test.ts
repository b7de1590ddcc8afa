// Routes, queueing disciplines, TCP sockets and drivers in a network namespace of the test's own, as the kernel's own tools and
// the newest node_exporter of Debian see them at the same time.
import assert from 'node:assert/strict';
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { type TestContext, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { lacksPackages, loudly, newestReference, notRoot } from '../helpers/debian.ts';
import { type Exporter, KEYHOLE, startExporter } from '../helpers/exporter.ts';
import { parseExposition, type ScrapedFamily } from '../helpers/exposition.ts';
import { inNamespaces } from '../helpers/namespace.ts';
import { openSockets } from '../helpers/sockets.ts';

const NAMES = ['network_route', 'qdisc', 'tcpstat', 'ethtool', 'wifi'] as const;
const ARGS = ['--collector.disable-defaults', ...NAMES.map((name) => `--collector.${name}`)];
/** As nobody, without a capability and without a way to one. */
const SEALED = ['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups', '--no-new-privs', '--bounding-set=-all'];

function cannot(): string | false {
  if (notRoot() !== false) return 'network tables: needs root';
  if (!existsSync('/proc/self/ns/net')) return 'network tables: this kernel has no network namespaces';
  return lacksPackages('iproute2', 'ethtool', 'iputils-ping', 'util-linux');
}

const skip = loudly(cannot());
/** Fetched outside the namespace, which has no way to the packages. */
const reference = skip === false ? newestReference() : { lacks: skip };
const skipReference = loudly('lacks' in reference && `network tables beside node_exporter: ${reference.lacks}`);

const run = (command: string, ...words: readonly string[]): string =>
  execFileSync(command, words, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
const ip = (line: string): string => run('ip', ...line.split(' '));
const works = (line: string): boolean => {
  const [command = '', ...words] = line.split(' ');
  return spawnSync(command, words).status === 0;
};

const PAIRS = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h'];
const DEVICES = [
  'link set lo up',
  ...PAIRS.map((name) => `link add ${name}0 type veth peer name ${name}1`),
  ...PAIRS.flatMap((name) => [`link set ${name}0 up`, `link set ${name}1 up`]),
  'link add i0 numtxqueues 2 numrxqueues 2 type ifb',
  'link set i0 up',
  'tuntap add t0 mode tun',
  'addr add 192.0.2.1/24 dev a0',
  'addr add 2001:db8::1/64 dev a0 nodad',
  'neigh add 192.0.2.200 lladdr 02:00:00:00:00:aa nud permanent dev a0',
];

/** Tables, families, protocols, ways and kinds, as many as there are. */
const ROUTES = [
  'route add default via 192.0.2.254 metric 5',
  'route add 198.51.100.0/24 via 192.0.2.254 src 192.0.2.1',
  'route add 198.51.100.0/24 via 192.0.2.254 src 192.0.2.1 table 200',
  'route add 203.0.113.0/24 dev b0 table 100 metric 7 proto static',
  'route add 203.0.113.7 dev b0 table 70000 proto bgp',
  'route add 10.9.0.0/16 nexthop via 192.0.2.10 weight 3 nexthop dev b0 weight 1 nexthop via 192.0.2.11 weight 200',
  'route add 10.10.0.0/16 dev c0 proto 77',
  'route add 10.11.0.0/16 dev c0 proto zebra',
  'route add blackhole 10.12.0.0/16',
  'route add unreachable 10.13.0.0/16',
  'route add 10.14.0.0/16 via inet6 fe80::99 dev a0',
  '-6 route add default via fe80::1 dev a0 metric 1024',
  '-6 route add 2001:db8:1::/48 via 2001:db8::9 proto ra',
  '-6 route add 2001:db8:1::/48 via 2001:db8::9 proto ra table 100',
  '-6 route add 2001:db8:2::/48 nexthop via 2001:db8::9 weight 2 nexthop via 2001:db8::8 weight 1',
  '-6 route add prohibit 2001:db8:3::/48',
];

/** Each on a device of its own. What this kernel does not have is left out. */
const QDISCS = [
  ['b0', 'pfifo limit 10'],
  ['c0', 'bfifo limit 9000'],
  ['d0', 'tbf rate 8kbit burst 1600 limit 3000'],
  ['e0', 'prio'],
  ['f0', 'fq_codel'],
  ['g0', 'sfq'],
  ['b1', 'pfifo_head_drop limit 3'],
  ['i0', 'mq'],
] as const;
const CLASSES = [
  'tc qdisc add dev a0 root handle 1: htb default 10',
  'tc class add dev a0 parent 1: classid 1:1 htb rate 8mbit',
  'tc class add dev a0 parent 1:1 classid 1:10 htb rate 800 burst 1600 cburst 1600',
  'tc qdisc add dev a0 parent 1:10 handle 10: pfifo limit 5',
  'tc qdisc add dev a0 clsact',
];

function droppedBy(kind: string): number {
  const qdiscs = JSON.parse(run('tc', '-s', '-j', 'qdisc', 'show', 'dev', 'a0')) as { kind: string; drops: number }[];
  return qdiscs.find((each) => each.kind === kind)?.drops ?? 0;
}

function furnish(): void {
  execFileSync('mount', ['-t', 'sysfs', 'sysfs', '/sys']);
  for (const line of [...DEVICES, ...ROUTES]) ip(line);
  for (const [device, kind] of QDISCS) works(`tc qdisc add dev ${device} root ${kind}`);
  for (const line of CLASSES) run('tc', ...line.split(' ').slice(1));
  // More than the queue holds, so that some wait and some are dropped: how fast ping sends is up to the machine.
  for (let round = 0; round < 20 && droppedBy('htb') === 0; round += 1)
    spawnSync('ping', ['-c', '30', '-i', '0.002', '-s', '700', '-W', '0.1', '-q', '192.0.2.200']);
}

type Families = ReadonlyMap<string, ScrapedFamily>;
type Labels = Readonly<Record<string, string>>;
const labelsOf = (text: string): Labels =>
  Object.fromEntries([...text.matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g)].map(([, name, value]) => [name, value]));
const seriesOf = (families: Families, name: string): (readonly [Labels, number])[] =>
  [...(families.get(name)?.samples ?? [])].map(([labels, value]) => [labelsOf(labels), value]);

const started = async (t: TestContext, command: readonly string[]): Promise<Exporter> => {
  const exporter = await startExporter(command, ARGS);
  t.after(() => exporter.stop());
  return exporter;
};

const DEADLINE_MS = 20_000;
/** Longer than TCP waits before it acknowledges what came. */
const BETWEEN_MS = 100;

/** Asks until both are the same: what moves was not asked for at the same moment. */
async function agree<T>(ours: () => Promise<T>, theirs: () => T | Promise<T>): Promise<void> {
  for (const until = Date.now() + DEADLINE_MS; ; ) {
    const before = await theirs();
    const found = await ours();
    try {
      assert.deepEqual(found, before);
      return;
    } catch (error) {
      if (Date.now() > until) throw error;
    }
    await delay(BETWEEN_MS);
  }
}

interface ListedHop {
  readonly gateway?: string;
  readonly via?: { readonly host: string };
  readonly dev?: string;
  readonly weight?: number;
}
interface ListedRoute extends ListedHop {
  readonly type: string;
  readonly dst: string;
  readonly metric?: number;
  readonly protocol?: string;
  readonly prefsrc?: string;
  readonly nexthops?: readonly ListedHop[];
}

/** The rows that `ip` lists, as the labels of ours: device, destination, gateway, priority, source, weight. */
function listedRoutes(): string[][] {
  const all = ['-4', '-6'].flatMap((family) => JSON.parse(ip(`${family} -j -d route show table all`)) as ListedRoute[]);
  return all
    .filter(({ type }) => type === 'unicast')
    .flatMap(({ nexthops, ...one }) =>
      (nexthops ?? [one]).map(({ dev = '', gateway, via, weight }) => [
        dev,
        /^default$|\//.test(one.dst) ? one.dst : `${one.dst}/${one.dst.includes(':') ? 128 : 32}`,
        gateway ?? via?.host ?? '',
        String(one.metric ?? 0),
        one.prefsrc ?? '',
        weight === undefined ? '' : String(weight),
      ]),
    );
}

const REQUEST_BYTES_MAX = 1000;

const KIND_COUNTERS = [
  ['bytes', 'bytes_total'],
  ['packets', 'packets_total'],
  ['drops', 'drops_total'],
  ['overlimits', 'overlimits_total'],
  ['requeues', 'requeues_total'],
  ['backlog', 'backlog'],
  ['qlen', 'current_queue_length'],
] as const;

const STATES: Readonly<Record<string, string>> = {
  LISTEN: 'listen',
  ESTAB: 'established',
  'SYN-SENT': 'syn_sent',
  'SYN-RECV': 'syn_recv',
  'FIN-WAIT-1': 'fin_wait1',
  'FIN-WAIT-2': 'fin_wait2',
  'TIME-WAIT': 'time_wait',
  'CLOSE-WAIT': 'close_wait',
  'LAST-ACK': 'last_ack',
  CLOSING: 'closing',
  UNCONN: 'close',
};

/** What `ss` lists, as ours. */
function listedSockets(): Record<string, number> {
  const found: Record<string, number> = { rx_queued_bytes: 0, tx_queued_bytes: 0 };
  for (const line of run('ss', '-H', '-tan').trim().split('\n')) {
    const [state = '', receive, send] = line.split(/\s+/);
    const name = STATES[state] as string;
    found[name] = (found[name] ?? 0) + 1;
    found['rx_queued_bytes'] = (found['rx_queued_bytes'] as number) + Number(receive);
    found['tx_queued_bytes'] = (found['tx_queued_bytes'] as number) + Number(send);
  }
  return found;
}

const sorted = <T>(rows: Iterable<T>): T[] => [...rows].sort((a, b) => (String(a) < String(b) ? -1 : 1));

/** Differences between the two, without what each says of its own scrape. */
function differences(ours: Families, theirs: Families): string[] {
  const faults: string[] = [];
  for (const [name, { type, samples }] of theirs) {
    if (!/^node_(network|qdisc|tcp|ethtool|scrape_collector_success)/.test(name)) continue;
    const mine = ours.get(name);
    if (mine?.type !== type) faults.push(`${name} is a ${mine?.type}, not a ${type}`);
    for (const [labels, value] of samples)
      if (mine?.samples.get(labels) !== value)
        faults.push(`${name}${labels} is ${mine?.samples.get(labels)}, not ${value}`);
    for (const labels of mine?.samples.keys() ?? [])
      if (!samples.has(labels)) faults.push(`${name}${labels} is too much`);
  }
  for (const name of ours.keys())
    if (/^node_(network|qdisc|tcp|ethtool)/.test(name) && !theirs.has(name)) faults.push(`${name} is new`);
  return faults;
}

/** Where 1.11.1 leaves a gateway out: it is of the other family. */
const BY_IPV6 = [
  'node_network_route_info{dest="10.14.0.0/16",device="a0",gw="",priority="0",proto="boot",src="",weight=""} is undefined, not 1',
  'node_network_route_info{dest="10.14.0.0/16",device="a0",gw="fe80::99",priority="0",proto="boot",src="",weight=""} is too much',
];

const duration = (families: Families): number =>
  NAMES.reduce(
    (sum, name) =>
      sum + (families.get('node_scrape_collector_duration_seconds')?.samples.get(`{collector="${name}"}`) ?? 0),
    0,
  );
const median = (values: readonly number[]): number => sorted(values)[values.length >> 1] as number;

function inside(): void {
  furnish();

  test('routes are those that ip lists, in every table and family', async (t) => {
    const ours = await started(t, [...SEALED, ...KEYHOLE]);
    await agree(
      async () => {
        const families = parseExposition(await ours.scrape());
        const rows = seriesOf(families, 'node_network_route_info');
        const counts = seriesOf(families, 'node_network_routes').map(([{ device }, count]) => [device, count]);
        return {
          rows: sorted(
            rows.map(([l]) => [l['device'], l['dest'], l['gw'], l['priority'], l['src'], l['weight']].join()),
          ),
          counts: sorted(counts.map((count) => count.join())),
        };
      },
      () => {
        const rows = listedRoutes();
        const devices = new Set(rows.map(([device]) => device));
        const count = (device: string | undefined): number => rows.filter(([name]) => name === device).length;
        return {
          rows: sorted(new Set(rows.map((row) => row.join()))),
          counts: sorted([...devices].map((device) => [device, count(device)].join())),
        };
      },
    );
    const protocols = seriesOf(parseExposition(await ours.scrape()), 'node_network_route_info').map(
      ([l]) => l['proto'],
    );
    for (const name of ['boot', 'static', 'kernel', 'bgp', 'ra', 'zebra', 'unknown'])
      assert.ok(protocols.includes(name), name);
  });

  test('queueing disciplines at the root are those that tc lists, whatever is below them', async (t) => {
    const ours = await started(t, [...SEALED, ...KEYHOLE]);
    type Listed = Readonly<Record<string, unknown>>;
    const listed = (): Listed[] =>
      (JSON.parse(run('tc', '-s', '-j', 'qdisc', 'show')) as Listed[]).filter(({ root }) => root === true);
    const kinds = new Set(listed().map(({ kind }) => kind));
    t.diagnostic(`kinds: ${[...kinds].join(' ')}`);
    assert.ok(kinds.size >= 5, [...kinds].join());
    await agree(
      async () => {
        const families = parseExposition(await ours.scrape());
        return sorted(
          KIND_COUNTERS.flatMap(([, family]) =>
            seriesOf(families, `node_qdisc_${family}`).map(([l, value]) =>
              [l['device'], l['kind'], family, value].join(),
            ),
          ),
        );
      },
      () =>
        sorted(
          listed().flatMap((each) =>
            KIND_COUNTERS.map(([field, family]) => [each['dev'], each['kind'], family, each[field]].join()),
          ),
        ),
    );
    const htb = seriesOf(parseExposition(await ours.scrape()), 'node_qdisc_drops_total').find(
      ([l]) => l['kind'] === 'htb',
    );
    assert.ok((htb?.[1] ?? 0) > 0, 'nothing was dropped');
  });

  test('sockets are those that ss lists, in every state but closed', async (t) => {
    const ours = await started(t, [...SEALED, ...KEYHOLE]);
    await openSockets(t, { near: 'h0', far: 'h1' });
    let listed: Record<string, number> = {};
    await agree(
      async () => {
        const series = seriesOf(parseExposition(await ours.scrape()), 'node_tcp_connection_states');
        const scraped = Object.fromEntries(series.map(([labels, value]) => [labels['state'], value]));
        // The request for the scrape waits for its acknowledgement during the scrape, or does not.
        const more = (scraped['tx_queued_bytes'] as number) - (listed['tx_queued_bytes'] as number);
        return {
          ...scraped,
          tx_queued_bytes: (listed['tx_queued_bytes'] as number) + (more > 0 && more < REQUEST_BYTES_MAX ? 0 : more),
        };
      },
      () => {
        listed = listedSockets();
        return listed;
      },
    );
    const found = Object.keys(listedSockets());
    for (const state of Object.values(STATES)) if (state !== 'close') assert.ok(found.includes(state), state);
  });

  test('drivers say what ethtool prints', async (t) => {
    const ours = await started(t, [...SEALED, ...KEYHOLE]);
    const families = parseExposition(await ours.scrape());
    for (const device of ['b0', 'g1', 'i0']) {
      const printed = [...run('ethtool', '-S', device).matchAll(/^ +(\w+): (\d+)$/gm)];
      assert.ok(printed.length > 0);
      for (const [, name = '', value] of printed) {
        const family = name.replace(/(^|_)rx(_|$)/, '$1received$2').replace(/(^|_)tx(_|$)/, '$1transmitted$2');
        assert.equal(families.get(`node_ethtool_${family}`)?.samples.get(`{device="${device}"}`), Number(value), name);
      }
    }
    const info = seriesOf(families, 'node_ethtool_info').map(([{ device, driver }]) => `${device} ${driver}`);
    for (const wanted of ['a0 veth', 't0 tun', 'i0 ifb']) assert.ok(info.includes(wanted), wanted);
  });

  test('tables that change all the time are read all the same', async (t) => {
    const ours = await started(t, [...SEALED, ...KEYHOLE]);
    const lines = 'route add 10.20.0.0/16 dev f0\nroute del 10.20.0.0/16 dev f0\nlink add p0 type ifb\nlink del p0\n';
    const passing = spawn('ip', ['-batch', '-'], { stdio: ['pipe', 'ignore', 'ignore'] });
    passing.stdin.end(lines.repeat(50));
    let rounds = 0;
    for (; passing.exitCode === null || rounds === 0; rounds += 1) {
      const families = parseExposition(await ours.scrape());
      for (const name of ['network_route', 'qdisc', 'tcpstat', 'ethtool'])
        assert.equal(families.get('node_scrape_collector_success')?.samples.get(`{collector="${name}"}`), 1, name);
      assert.ok(seriesOf(families, 'node_network_route_info').some(([l]) => l['dest'] === '10.11.0.0/16'));
    }
    t.diagnostic(`${rounds} scrapes`);
  });

  test('beside the newest node_exporter, with a thousand devices, all agrees but one gateway, in less time', {
    skip: skipReference,
  }, async (t) => {
    const pairs = Array.from(
      { length: 500 },
      (_, i) => `link add m${i} type veth peer name n${i}\nlink set m${i} up\n`,
    );
    execFileSync('ip', ['-batch', '-'], { input: pairs.join('') });
    const ours = await started(t, [...SEALED, ...KEYHOLE]);
    const theirs = await started(t, ['path' in reference ? reference.path : '']);
    await agree(
      async () => {
        const [a, b] = [await ours.scrape(), await theirs.scrape()];
        return sorted(differences(parseExposition(a), parseExposition(b)));
      },
      () => sorted(BY_IPV6),
    );
    const times: [number[], number[]] = [[], []];
    for (let round = 0; round < 7; round += 1)
      for (const [i, exporter] of [ours, theirs].entries())
        times[i]?.push(duration(parseExposition(await exporter.scrape())));
    const ratio = median(times[0]) / median(times[1]);
    t.diagnostic(`time of the collectors: ${ratio.toFixed(2)} of node_exporter's`);
    assert.ok(ratio < 1.5, `${ratio} times as long`);
  });
}

inNamespaces('network tables', skip, import.meta.filename, inside);
