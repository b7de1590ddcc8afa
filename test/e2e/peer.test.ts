// Debian's node_exporter and Keyhole on this machine at the same time: what both have must agree.
// Keyhole is asked before the reference and again after it, so the reference's numbers must lie between Keyhole's two. What
// moves back and forth need not do so at once: a fault counts if it shows in every round.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { collectors } from '../../src/collectors/index.ts';
import { lacksPackages, loudly } from '../helpers/debian.ts';
import { KEYHOLE, startExporter } from '../helpers/exporter.ts';
import { parseExposition, type ScrapedFamily } from '../helpers/exposition.ts';

type Reasons = readonly (readonly [pattern: RegExp, why: string])[];

// Every difference between 1.5.0 and Keyhole, which follows 1.12. The patterns are held against the family's name, with the
// labels where a series is meant. What is not here must agree.

/** Collectors of both that are not compared. */
const APART: Reasons = [
  [/^perf$/, 'each counts from its own start'],
  [/^(logind|ntp|supervisord|systemd)$/, 'compared where there is a daemon: daemons.test.ts, systemd_units.test.ts'],
];

/** Families that only one has because it tells of itself. */
const OF_ITSELF: Reasons = [
  [/^(go|nodejs)_/, 'each tells of its own runtime'],
  [/^keyhole_/, 'our own'],
];

/** Same series, other values. */
const OTHER_VALUES: Reasons = [
  [/^(process|promhttp)_/, 'each tells of its own process and of who asked it'],
  [/^node_scrape_collector_duration_seconds/, 'each takes its own time'],
  [/^node_tcp_connection_states\{state="[rt]x_queued_bytes"\}$/, 'what waits that moment, an answer to a scrape too'],
];

/** Series that are other by who reads them. */
const OF_THE_READER: Reasons = [
  [/^node_processes_state\{state="[RS]"\}$/, 'Keyhole reads in its first thread and sees itself run, the other sleep'],
];

/** Labels that a family has had only since. */
const NEW_LABELS: readonly (readonly [pattern: RegExp, label: string])[] = [
  [/^node_disk_info$/, 'rotational'],
  [/^node_exporter_build_info$/, 'tags'],
  [/^node_filesystem_(avail_bytes|device_error|files|files_free|free_bytes|readonly|size_bytes)$/, 'device_error'],
  [/^node_network_info$/, 'adminstate'],
];

/** Labels whose value each has of its own. */
const OTHER_LABELS: Reasons = [[/^node_exporter_build_info\b/, 'each tells of its own build']];

/** What has come since 1.5.0. */
const NEW: Reasons = [
  [/^node_btrfs_(commits_total|(last_|max_)?commit_seconds(_total)?)$/, 'commit_stats of Linux 6.1'],
  [/^node_cpu_(frequency_hertz|isolated|online)$/, 'cpu: speed in /proc/cpuinfo, isolated and online CPUs'],
  [/^node_disk_ata_/, 'ATA properties that udev knows'],
  [/^node_filesystem_(mount_info|purgeable_bytes)$/, 'major and minor of a mount, and a family for other systems'],
  [/^node_ksmd_general_profit_bytes$/, 'general_profit of Linux 6.1'],
  [/^node_md_(degraded|raid_disks)$/, 'RAID told from /sys'],
  [/^node_nvme_namespace_/, 'namespaces'],
  [/^node_softnet_(backlog_len|cpu_collision|flow_limit_count|received_rps)/, 'the columns after the third'],
  [/^process_network_(receive|transmit)_bytes_total$/, 'newer client library'],
];

/** What 1.5.0 has and 1.12 has not. */
const GONE: Reasons = [
  [
    /^node_memory_(Balloon|FileHugePages|FilePmdMapped|GPUActive|GPUReclaim|Hugetlb|KReclaimable|Quicklists|SecPageTables|ShadowCallStack|Unaccepted)_bytes$/,
    'meminfo keeps to the keys it knows',
  ],
];

const REFERENCE = '/usr/bin/prometheus-node-exporter';
const ROUNDS = 40;
const BETWEEN_MS = 50;

/** The same scope for both, as wide as both can: defaults have changed since, and Debian has its own. */
const SCOPE = [
  '--collector.arp.device-exclude=^$',
  '--collector.cpu.info',
  '--collector.cpu.info.flags-include=^(aes|avx.?|constant_tsc|fpu)$',
  '--collector.cpu.info.bugs-include=.*',
  '--collector.diskstats.device-exclude=^$',
  '--collector.filesystem.mount-points-exclude=^$',
  '--collector.filesystem.fs-types-exclude=^$',
  '--collector.netdev.device-exclude=^$',
  '--collector.netdev.address-info',
  '--collector.netstat.fields=.*',
  '--collector.rapl.enable-zone-label',
  '--collector.stat.softirq',
  '--collector.sysctl.include=kernel.threads-max',
  '--collector.sysctl.include=fs.file-nr:total,current,max',
  '--collector.sysctl.include=net.ipv4.tcp_rmem:min,default,max',
  '--collector.sysctl.include-info=kernel.core_pattern',
  '--collector.vmstat.fields=.*',
];
/** Keyhole's default, and 1.12's. */
const ONLY_REFERENCE = ['--collector.netdev.netlink'];

const TEXT_FILE = `# HELP job_runs_total Runs.
# TYPE job_runs_total counter
job_runs_total{job="a \\"b\\" \\\\ c",state="done"} 17
# TYPE job_seconds summary
job_seconds{quantile="0.5"} 1.25
job_seconds_sum 3.5
job_seconds_count 2
job_bare -1.5e-07
`;

const known = (reasons: Reasons, text: string): boolean => reasons.some(([pattern]) => pattern.test(text));

type Families = ReadonlyMap<string, ScrapedFamily>;
type Series = ReadonlyMap<string, number>;

interface Asked {
  readonly before: Families;
  readonly reference: Families;
  readonly after: Families;
}

/** The collectors that both have. */
function shared(): string[] {
  const { stdout, stderr } = spawnSync(REFERENCE, ['--help'], { encoding: 'utf8' });
  const flags = `${stdout}${stderr}`.matchAll(/--(?:\[no-\])?collector\.(\w+)\s/g);
  const theirs = new Set([...flags].map(([, name]) => name));
  return collectors.map(({ name }) => name).filter((name) => theirs.has(name) && !known(APART, name));
}

function textFolder(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'keyhole-peer-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  writeFileSync(join(folder, 'job.prom'), TEXT_FILE);
  return folder;
}

/** The series of a family, without the label that 1.5.0 does not have yet. */
function seriesOf(families: Families, name: string): Series {
  const samples = families.get(name)?.samples ?? new Map<string, number>();
  const [, label] = NEW_LABELS.find(([pattern]) => pattern.test(name)) ?? [];
  if (label === undefined) return samples;
  const pair = new RegExp(`(?<=[{,])${label}="(?:[^"\\\\]|\\\\.)*",?`);
  return new Map([...samples].map(([labels, value]) => [labels.replace(pair, '').replace(',}', '}'), value]));
}

/** Whether what was read between two others can be the same number. */
function fits(type: string, value: number, first: number, last: number): boolean {
  if (Object.is(value, first) || Object.is(value, last)) return true;
  const [low, high] = first < last ? [first, last] : [last, first];
  // What only rises is between; what also falls was hardly farther off than it has moved.
  const slack = type === 'counter' ? 0 : high - low;
  return value >= low - slack && value <= high + slack;
}

/** Faults of one family, by the series that they are of. */
function* compareFamily(name: string, { before, reference, after }: Asked): Generator<readonly [string, string]> {
  const type = reference.get(name)?.type;
  const own = after.get(name);
  if (own === undefined) {
    if (!known([...GONE, ...OF_ITSELF], name)) yield [name, 'is missing'];
    return;
  }
  if (type === undefined) {
    if (!known([...NEW, ...OF_ITSELF], name)) yield [name, 'is new'];
    return;
  }
  if (own.type !== type) yield [name, `is a ${own.type}, not a ${type}`];
  if (known(OTHER_LABELS, name)) return;
  const [first, theirs, last] = [seriesOf(before, name), seriesOf(reference, name), seriesOf(after, name)];
  for (const [labels, value] of theirs) {
    const [a, b] = [first.get(labels), last.get(labels)];
    const series = `${name}${labels}`;
    if (a === undefined || b === undefined) yield [series, 'is missing'];
    else if (!fits(type, value, a, b) && !known(OTHER_VALUES, series))
      yield [series, `is ${value}, ours ${a} and ${b}`];
  }
  for (const labels of last.keys()) if (!theirs.has(labels)) yield [`${name}${labels}`, 'is too much'];
}

function compare(asked: Asked): Map<string, string> {
  const names = new Set([...asked.reference.keys(), ...asked.after.keys()]);
  const faults = [...names].flatMap((name) => [...compareFamily(name, asked)]);
  return new Map(faults.filter(([series]) => !known(OF_THE_READER, series)));
}

const skip = loudly(lacksPackages('prometheus-node-exporter'));

test('beside prometheus-node-exporter, what both have agrees in name, type, labels and value', {
  skip,
}, async (t) => {
  const flags = [
    '--collector.disable-defaults',
    ...shared().map((name) => `--collector.${name}`),
    ...SCOPE,
    `--collector.textfile.directory=${textFolder(t)}`,
  ];
  const keyhole = await startExporter(KEYHOLE, flags);
  t.after(() => keyhole.stop());
  const debian = await startExporter([REFERENCE], [...flags, ...ONLY_REFERENCE]);
  t.after(() => debian.stop());

  let lasting: ReadonlyMap<string, string> | undefined;
  let rounds = 0;
  for (; rounds < ROUNDS && lasting?.size !== 0; rounds += 1) {
    await delay(BETWEEN_MS);
    const asked = {
      before: parseExposition(await keyhole.scrape()),
      reference: parseExposition(await debian.scrape()),
      after: parseExposition(await keyhole.scrape()),
    };
    const faults = compare(asked);
    const compared = [...asked.reference.values()].reduce((sum, { samples }) => sum + samples.size, 0);
    if (rounds === 0) t.diagnostic(`${compared} samples of ${asked.reference.size} families, ${faults.size} moving`);
    assert.ok(compared > 500, `only ${compared} samples`);
    lasting = new Map([...faults].filter(([series]) => lasting?.has(series) ?? true));
  }
  t.diagnostic(`${rounds} rounds`);
  const told = [...(lasting ?? [])].map(([series, fault]) => `${series} ${fault}`);
  assert.equal(told.join('\n'), '');
});
