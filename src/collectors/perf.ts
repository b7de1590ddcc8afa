import { closeSync } from 'node:fs';
import { type Acquired, defineCollector, type Host, type Turn } from '../core/collector.ts';
import { messageOf, UsageError } from '../core/errors.ts';
import type { FlagValues } from '../core/flag.ts';
import { counter, dynamic, type Family, gauge } from '../core/metric.ts';
import type { Writer } from '../core/writer.ts';
import { parseCpulist } from '../parse/cpulist.ts';
import { readAccess, type Verdict } from '../perf/access.ts';
import { CATALOG } from '../perf/catalog.ts';
import { isCurrent } from '../perf/counts.ts';
import { type PerfFacts, sentence, toFacts, verdictOf } from '../perf/facts.ts';
import { perfFlags } from '../perf/grammar.ts';
import { createLive, type LiveGroup, type LiveGroups } from '../perf/live.ts';
import { openBatches, type PerfKernel } from '../perf/open.ts';
import { enableGroup, eventId, NO_GROUP, openEvent, readGroup } from '../perf/perf_event.ts';
import { type Asked, cpusToCount, type PerfKind, plan } from '../perf/plan.ts';
import { readPmuEvent, readPmus } from '../perf/pmu.ts';
import { readTracepointId } from '../perf/tracefs.ts';
import { openTree } from '../source/source.ts';
import { isInitialUserNamespace, ownPrivileges } from '../syscall/capability.ts';

type PerfHost = Host<typeof perfFlags>;

const metrics = {
  available: gauge('node_perf_available', 'Whether counters of this kind are open (1) or not (0).', 'kind'),
  unavailable: gauge(
    'keyhole_perf_unavailable',
    'Why counters of this kind are not open; one reason of those in docs/perf.md.',
    'kind',
    'reason',
  ),
  missing: gauge(
    'node_perf_event_missing',
    'An event that was asked for and that this machine cannot count.',
    'kind',
    'pmu',
    'event',
  ),
  covered: gauge(
    'node_perf_cpu_covered',
    'Whether the counters of the CPU are read (1), or there are none since it is offline, came later or was refused (0).',
    'cpu',
  ),
  enabled: counter(
    'node_perf_group_enabled_seconds_total',
    'How long a group of counters was wanted on its CPU.',
    'cpu',
    'kind',
    'pmu',
    'group',
  ),
  running: counter(
    'node_perf_group_running_seconds_total',
    'How long the group was counting: less than enabled where the PMU has too few counters and groups take turns.',
    'cpu',
    'kind',
    'pmu',
    'group',
  ),
  event: counter(
    'node_perf_event_total',
    "Counts of the events of --collector.perf.events, times the kernel's scale, in the unit named.",
    'cpu',
    'pmu',
    'event',
    'unit',
  ),
  tracepoint: dynamic.counter('node_perf_<subsystem>_<event>', 'Hits of the tracepoint <subsystem>:<event>.', 'cpu'),
} as const;

const catalogMetrics: Readonly<Record<string, Family<readonly [string]>>> = Object.fromEntries(
  CATALOG.map(({ name, metric, help }) => [name, counter(metric, help, 'cpu')]),
);

const kernel: PerfKernel = {
  open: (event, cpu, leaderFd) => openEvent(event, cpu, leaderFd ?? NO_GROUP),
  id: eventId,
  enable: enableGroup,
  runningNs: (fd) => readGroup(fd).runningNs,
  close: closeSync,
  sleep: (ms) => void Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms),
};

/** Descriptors that are left to the server, to files of other collectors and to whatever else. */
const FILES_RESERVED = 192;

const askedBy = (flags: FlagValues<typeof perfFlags>): Asked => ({
  cpus: flags.cpus,
  catalog: [
    ...(flags.noHardware ? [] : flags.hardware),
    ...(flags.noCache ? [] : flags.cache),
    ...(flags.noSoftware ? [] : flags.software),
  ],
  tracepoints: flags.tracepoints,
  events: flags.events,
});

const kindsOf = ({ catalog, tracepoints, events }: Asked): PerfKind[] => [
  ...new Set(catalog.map(({ kind }) => kind)),
  ...(tracepoints.length > 0 ? (['tracepoint'] as const) : []),
  ...(events.length > 0 ? (['event'] as const) : []),
];

const readOnline = (host: PerfHost): number[] => {
  const file = 'devices/system/cpu/online';
  return parseCpulist(host.sys.read(file), host.sys.path(file));
};

/** Opens every counter that is asked for, one group after the other. */
function acquire(host: PerfHost): Acquired {
  try {
    const proc = openTree('/proc');
    const pmus = readPmus(host.sys);
    const online = readOnline(host);
    const asked = askedBy(host.flags);
    const planned = plan(asked, {
      online,
      pmus,
      readPmuEvent: (pmu, event) => readPmuEvent(host.sys, pmu, event),
      readTracepointId: ({ subsystem, event }) => readTracepointId(proc, openTree, subsystem, event),
    });
    const access = readAccess({
      proc,
      privileges: ownPrivileges(),
      userNamespace: isInitialUserNamespace() === false,
      hasCorePmu: pmus.some(({ isCore }) => isCore),
    });
    const opened = openBatches(planned.batches, kernel, access.filesMax - FILES_RESERVED);
    return toFacts({ cpus: cpusToCount(asked.cpus, online), missing: planned.missing, opened, access });
  } catch (error) {
    return { held: [], facts: { fault: messageOf(error) } };
  }
}

/** Says once what is not there although it was asked for. */
function report(host: PerfHost, facts: PerfFacts, kinds: readonly [PerfKind, ...PerfKind[]]): void {
  if (facts.groups.length === 0) {
    const { reason, why } = denial(facts, kinds);
    host.log.warn("perf counters are denied: run 'keyhole doctor' to see what to change", { reason, why });
    return;
  }
  for (const { event, pmu, why } of facts.missing) host.log.warn('cannot count an event', { pmu, event, reason: why });
  const told = new Set<string>();
  for (const { kind, errno, lacks, cpus } of facts.unopened) {
    const { reason, why, remedy } = facts.verdicts[errno] as Verdict;
    if (told.has(reason)) continue;
    told.add(reason);
    const events = facts.unopened.filter((each) => each.errno === errno).map(({ event }) => event);
    const fields = { kind, reason, why, remedy, cpus: cpus.join(), events: [...new Set(events)].join() };
    if (lacks) host.log.info('this machine lacks some counters', fields);
    else host.log.warn('some counters are refused', fields);
  }
  const open = kinds.filter((kind) => facts.groups.some((group) => group.kind === kind));
  host.log.debug('counters are open', { groups: facts.groups.length, kinds: open.join() });
}

const SECOND_NS = 1e9;

function writeGroup(out: Writer, { facts, tally }: LiveGroup): void {
  const { kind, pmu, index, members } = facts;
  const cpu = String(facts.cpu);
  const group = String(index);
  out.sample(metrics.enabled, Number(tally.enabledTotalNs) / SECOND_NS, cpu, kind, pmu, group);
  out.sample(metrics.running, Number(tally.runningTotalNs) / SECOND_NS, cpu, kind, pmu, group);
  if (!isCurrent(tally)) return;
  for (const [i, { name, scale = 1, unit = '' }] of members.entries()) {
    const total = Number(tally.totals[i] ?? 0n);
    if (kind === 'event') out.sample(metrics.event, total * scale, cpu, pmu, name, unit);
    else if (kind === 'tracepoint') out.sample(metrics.tracepoint.of(...name.split(':')), total, cpu);
    else out.sample(catalogMetrics[name] as Family<readonly [string]>, total, cpu);
  }
}

function writeState(out: Writer, facts: PerfFacts, kinds: readonly PerfKind[], groups: readonly LiveGroup[]): void {
  for (const kind of kinds) {
    const isOpen = groups.some((group) => group.facts.kind === kind);
    out.sample(metrics.available, isOpen ? 1 : 0, kind);
    if (!isOpen) out.sample(metrics.unavailable, 1, kind, verdictOf(facts, kind).reason);
  }
  // Without any PMU the reason says it all.
  const lacking = facts.unopened.filter(({ lacks, errno }) => lacks && facts.verdicts[errno]?.reason !== 'no_pmu');
  const missing = [...facts.missing, ...lacking];
  for (const { kind, pmu, event } of missing) out.sample(metrics.missing, 1, kind, pmu, event);
}

/** The CPUs whose counters are read. */
const coveredBy = (groups: readonly LiveGroup[]): Set<number> =>
  new Set(groups.filter(({ facts }) => !facts.moves).map(({ facts }) => facts.cpu));

/** Reads every group, and answers the online CPUs that lost one. A CPU that is offline gives frozen values: its groups end. */
async function readAll(live: LiveGroups, online: readonly number[], turn: Turn): Promise<Set<number>> {
  const lost = new Set<number>();
  for (const group of live.groups) {
    const pause = turn.pause();
    // An await would cost a turn of the queue for every group, though there is nothing to wait for.
    if (pause !== undefined) await pause;
    const { cpu, moves } = group.facts;
    if (!moves && !online.includes(cpu)) live.forget(group);
    else if (!live.read(group)) lost.add(cpu);
  }
  // A group of one that died since the last read still shows some progress: its CPU's other groups tell.
  for (const group of live.groups) if (!group.facts.moves && lost.has(group.facts.cpu)) live.forget(group);
  return lost;
}

/** Notices CPUs that came, or went and came back: their counters have to be opened, which a sealed process cannot do. */
function createWatch(host: PerfHost, live: LiveGroups, first: PerfFacts) {
  /** Without counters, and told so. */
  let uncovered = new Set<number>();
  let before = coveredBy(live.groups);
  const start = (facts: PerfFacts): void => {
    before = coveredBy(live.groups);
    uncovered = new Set(facts.cpus.filter((cpu) => !before.has(cpu)));
  };
  start(first);

  const reopen = (reacquire: () => Acquired, cpus: string): PerfFacts => {
    for (const group of live.groups) live.forget(group);
    const acquired = reacquire();
    const fault = faultOf(acquired);
    if (fault !== undefined) throw new Error(fault);
    live.replace(acquired);
    const facts = acquired.facts as PerfFacts;
    start(facts);
    host.log.info('counters were opened again', { cpus });
    return facts;
  };

  /** To be called after a read of all groups. Answers the new facts where the counters were opened again. */
  return (online: readonly number[], lost: ReadonlySet<number>): PerfFacts | undefined => {
    const covered = coveredBy(live.groups);
    const gone = [...before].filter((cpu) => !online.includes(cpu)).join();
    if (gone !== '') host.log.warn('CPUs went offline, their counters end', { cpus: gone });
    before = covered;
    for (const cpu of uncovered) if (!online.includes(cpu)) uncovered.delete(cpu);
    const wanted = cpusToCount(host.flags.cpus, online);
    const fresh = wanted.filter((cpu) => (!covered.has(cpu) || lost.has(cpu)) && !uncovered.has(cpu));
    if (fresh.length === 0) return undefined;
    for (const cpu of fresh) uncovered.add(cpu);
    const cpus = fresh.join();
    if (host.reacquire !== undefined) return reopen(host.reacquire, cpus);
    const why = `CPUs came online whose counters a sealed process cannot open: ${cpus}`;
    if (host.flags.onHotplug === 'exit' && host.end !== undefined) host.end(why);
    else host.log.warn(why, { remedy: 'start again, --collector.perf.on-hotplug=exit or --privilege.mode=retained' });
    return undefined;
  };
}

/** What kept `acquire` from opening anything, if it did not even come to be refused. */
function faultOf(acquired: Acquired | undefined): string | undefined {
  if (acquired?.facts === undefined || acquired.facts === null) return 'no counters were opened at the start';
  return (acquired.facts as { readonly fault?: string }).fault;
}

/** Why nothing at all can be counted: what was refused is the reason, before what is only absent. */
function denial(facts: PerfFacts, [first]: readonly [PerfKind, ...PerfKind[]]): Verdict {
  return verdictOf(facts, facts.unopened.find(({ lacks }) => !lacks)?.kind ?? first);
}

export default defineCollector({
  name: 'perf',
  help: "Exposes the counts of the CPUs' performance counters and of the kernel's own events.",
  enabled: false,
  reads: [
    '/sys/devices/system/cpu/online',
    '/sys/bus/event_source/devices/<pmu>/*',
    '/sys/kernel/tracing/events/<subsystem>/<event>/id',
    '/proc/mounts',
  ],
  flags: perfFlags,
  metrics: { ...metrics, ...catalogMetrics },
  privileges: ['perfmon', 'sys_admin'],
  acquire,
  setup(host) {
    const { acquired } = host;
    const asked = askedBy(host.flags);
    const [kind, ...others] = kindsOf(asked);
    if (kind === undefined) throw new UsageError('--collector.perf: every kind of counter is disabled');
    const kinds = [kind, ...others] as const;
    const fault = faultOf(acquired);
    if (acquired === undefined || fault !== undefined) {
      return () => {
        throw new Error(fault);
      };
    }
    let facts = acquired.facts as PerfFacts;
    const live = createLive(acquired, readGroup, closeSync);
    const watch = createWatch(host, live, facts);
    report(host, facts, kinds);
    return async (out, turn) => {
      let online = readOnline(host);
      const again = watch(online, await readAll(live, online, turn));
      if (again !== undefined) {
        facts = again;
        online = readOnline(host);
        await readAll(live, online, turn);
      }
      writeState(out, facts, kinds, live.groups);
      const covered = coveredBy(live.groups);
      for (const cpu of host.flags.cpus ?? online) out.sample(metrics.covered, covered.has(cpu) ? 1 : 0, String(cpu));
      for (const group of live.groups) writeGroup(out, group);
      if (live.groups.length === 0) throw new Error(`no counters: ${sentence(denial(facts, kinds))}`);
    };
  },
});
