// Debian's node_exporter and Keyhole on this machine at the same time: what both have must agree.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { lacksPackages, loudly } from '../helpers/debian.ts';
import { type Exporter, KEYHOLE, startExporter } from '../helpers/exporter.ts';
import { parseExposition, type ScrapedFamily } from '../helpers/exposition.ts';

/** Families that may differ between the reference of today and Debian's 1.5.0 of 2022, each with its reason. */
const DIFFERENT: readonly (readonly [pattern: RegExp, why: string])[] = [
  [/^(go|process|promhttp)_/, 'each tells of its own process'],
  [/^node_exporter_build_info$/, 'each tells of its own build'],
  [/^node_scrape_collector_(duration_seconds|success)$/, 'each has the collectors of its version'],
];

/** Gauges and counters that move by themselves: how much, relative to the value or absolute, within the second between two scrapes. */
const MOVING_SHARE = 0.1;
const MOVING_ABSOLUTE = 5000;

/** Levels that may jump at any moment, so that only their series are compared. */
const JUMPING =
  /^node_(memory_|load|pressure_|procs_|processes_|filefd_|sockstat_|netstat_|vmstat_|entropy_|timex_|time_|filesystem_|disk_|network_|intr_|interrupts_|softnet_|context_|forks_|schedstat_|softirqs_|cpu_)/;

const ARGS = [
  '--collector.interrupts',
  '--collector.processes',
  '--collector.buddyinfo',
  '--collector.ksmd',
  '--collector.zoneinfo',
  '--collector.meminfo_numa',
  '--collector.slabinfo',
  '--collector.softirqs',
  '--collector.cgroups',
  '--collector.sysctl',
  '--collector.lnstat',
];
const DEBIAN_LACKS = [
  '--collector.softirqs',
  '--collector.cgroups',
  '--collector.sysctl',
  '--collector.selinux',
  '--collector.slabinfo',
  '--collector.zoneinfo',
];

const skip = loudly(lacksPackages('prometheus-node-exporter'));

describe('beside prometheus-node-exporter', { skip }, () => {
  let keyhole: Exporter;
  let reference: Exporter;
  before(async () => {
    keyhole = await startExporter(KEYHOLE, ARGS);
    reference = await startExporter(
      ['/usr/bin/prometheus-node-exporter'],
      ARGS.filter((arg) => !DEBIAN_LACKS.includes(arg)),
    );
  });
  after(async () => {
    await keyhole?.stop();
    await reference?.stop();
  });

  test('every family that the reference gives is there, with its type, its series and values that are the same but for a moment', async () => {
    // Both are asked twice: the first scrape of each opens what later ones keep.
    await Promise.all([keyhole.scrape(), reference.scrape()]);
    const [own, other] = await Promise.all([keyhole.scrape(), reference.scrape()]);
    const [ours, theirs] = [parseExposition(own), parseExposition(other)];
    const faults = [...theirs].flatMap(([name, family]) =>
      DIFFERENT.some(([pattern]) => pattern.test(name)) ? [] : compare(name, ours.get(name), family),
    );
    assert.deepEqual(faults, []);
  });
});

function compare(name: string, ours: ScrapedFamily | undefined, theirs: ScrapedFamily): string[] {
  if (ours === undefined) return [`${name} is missing`];
  const faults = ours.type === theirs.type ? [] : [`${name} is a ${ours.type}, not a ${theirs.type}`];
  for (const [labels, value] of theirs.samples) {
    const own = ours.samples.get(labels);
    if (own === undefined) faults.push(`${name}${labels} is missing`);
    else if (!agrees(name, own, value)) faults.push(`${name}${labels} is ${own}, not ${value}`);
  }
  for (const labels of ours.samples.keys())
    if (!theirs.samples.has(labels)) faults.push(`${name}${labels} is too much`);
  return faults;
}

function agrees(name: string, own: number, value: number): boolean {
  if (Object.is(own, value) || own === value) return true;
  const distance = Math.abs(own - value);
  if (distance <= MOVING_SHARE * Math.max(Math.abs(own), Math.abs(value))) return true;
  return JUMPING.test(name) || distance <= MOVING_ABSOLUTE;
}
