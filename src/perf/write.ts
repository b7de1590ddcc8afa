import type { Family } from '../core/metric.ts';
import type { Writer } from '../core/writer.ts';
import { isCurrent } from './counts.ts';
import { type MemberFacts, type PackagePlace, type PerfFacts, verdictOf } from './facts.ts';
import { isOpenerUp } from './kernel.ts';
import type { LiveGroup } from './live.ts';
import { catalogMetrics, groupMetrics, stateMetrics } from './metrics.ts';
import type { PerfKind } from './planned.ts';
import { categoriesOf } from './topdown.ts';

const SECOND_NS = 1e9;

/** What the counters of a package add up to, whichever CPU they are read through. */
interface Sum {
  readonly place: PackagePlace;
  readonly pmu: string;
  readonly member: MemberFacts;
  total: number;
}

/** The events of the preset `membw`, by their direction. */
const TRAFFIC = /^(?:cas_count|data)_(read|write)s?(?:_sch[01])?$/;

/** The family that a package's event belongs to, and its labels there. */
function seriesOf({ place, pmu, member: { name, unit = '' } }: Sum): readonly [Family, readonly string[]] {
  const [, domain] = /^energy-(\w+)$/.exec(name) ?? [];
  if (domain !== undefined && unit === 'joules') return [groupMetrics.energy, [place.package, domain]];
  const [, direction] = TRAFFIC.exec(name) ?? [];
  if (direction !== undefined && unit === 'bytes' && pmu.startsWith('uncore_imc'))
    return [groupMetrics.memory, [place.package, place.die, direction]];
  return [groupMetrics.uncore, [place.package, place.die, pmu, name, unit]];
}

/** Several PMUs, or several instances of one in a die, may make one series. */
function writePackages(out: Writer, groups: readonly LiveGroup[]): void {
  const series = new Map<string, { readonly family: Family; readonly labels: readonly string[]; total: number }>();
  for (const { facts, tally } of groups) {
    const { place, pmu, members } = facts;
    if (place === undefined || !isCurrent(tally)) continue;
    for (const [i, member] of members.entries()) {
      if (member.repeats === true) continue;
      const total = Number(tally.totals[i] ?? 0n) * (member.scale ?? 1);
      const [family, labels] = seriesOf({ place, pmu, member, total });
      const key = `${family.name} ${labels.join(' ')}`;
      const before = series.get(key);
      if (before === undefined) series.set(key, { family, labels, total });
      else before.total += total;
    }
  }
  for (const { family, labels, total } of series.values()) out.row(family, total, labels);
}

/** What each CPU's categories were, so that none runs backwards. */
export type TopdownMemory = Map<string, Map<string, number>>;

function writeTopdown(out: Writer, { facts, tally }: LiveGroup, memory: TopdownMemory): void {
  const cpu = String(facts.cpu);
  const before = memory.get(cpu) ?? new Map<string, number>();
  memory.set(cpu, before);
  const totals = new Map(facts.members.map(({ name, scale = 1 }, i) => [name, Number(tally.totals[i] ?? 0n) * scale]));
  const [level, detail = new Map<string, number>()] = categoriesOf(totals, before);
  for (const [category, slots] of level ?? []) out.sample(groupMetrics.topdown, slots, cpu, category);
  for (const [category, slots] of detail) out.sample(groupMetrics.topdownDetail, slots, cpu, category);
}

function writeGroup(out: Writer, group: LiveGroup, memory: TopdownMemory): void {
  const { facts, tally } = group;
  const { kind, pmu, index, members, place } = facts;
  const cpu = String(facts.cpu);
  out.sample(groupMetrics.enabled, Number(tally.enabledTotalNs) / SECOND_NS, cpu, kind, pmu, String(index));
  out.sample(groupMetrics.running, Number(tally.runningTotalNs) / SECOND_NS, cpu, kind, pmu, String(index));
  if (!isCurrent(tally) || place !== undefined) return;
  if (kind === 'topdown') {
    writeTopdown(out, group, memory);
    return;
  }
  for (const [i, { name, scale = 1, unit = '', repeats }] of members.entries()) {
    if (repeats === true) continue;
    const total = Number(tally.totals[i] ?? 0n);
    if (kind === 'event') out.sample(groupMetrics.event, total * scale, cpu, pmu, name, unit);
    else if (kind === 'tracepoint') out.sample(groupMetrics.tracepoint.of(...name.split(':')), total, cpu);
    else out.sample(catalogMetrics[name] as Family<readonly [string]>, total, cpu);
  }
}

/** The counts. */
export function writeGroups(out: Writer, groups: readonly LiveGroup[], memory: TopdownMemory): void {
  for (const group of groups) writeGroup(out, group, memory);
  writePackages(out, groups);
}

/** Which kinds of counters are open, and why the others are not. */
export function writeState(out: Writer, facts: PerfFacts, isOpen: ReadonlyMap<PerfKind, boolean>): void {
  for (const [kind, open] of isOpen) {
    out.sample(stateMetrics.available, open ? 1 : 0, kind);
    if (open) continue;
    const { reason, why } = verdictOf(facts, kind);
    out.sample(stateMetrics.unavailable, 1, kind, reason);
    out.remark(why);
  }
  // Where nothing of a kind is counted for want of a PMU, the reason says it all.
  const isSaid = (kind: PerfKind): boolean => isOpen.get(kind) === false && verdictOf(facts, kind).reason === 'no_pmu';
  const lacking = facts.unopened.filter(
    ({ kind, lacks, errno }) => lacks && !(facts.verdicts[errno]?.reason === 'no_pmu' && isSaid(kind)),
  );
  const missing = new Map(
    [...facts.missing, ...lacking].map(({ kind, pmu, event }) => [
      JSON.stringify([kind, pmu, event]),
      { kind, pmu, event },
    ]),
  );
  for (const { kind, pmu, event } of missing.values()) out.sample(stateMetrics.missing, 1, kind, pmu, event);
  const isUp = isOpenerUp();
  if (isUp !== undefined) out.sample(stateMetrics.opener, isUp ? 1 : 0);
}
