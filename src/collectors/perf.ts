import { defineCollector, type Turn } from '../core/collector.ts';
import { UsageError } from '../core/errors.ts';
import type { Verdict } from '../perf/access.ts';
import { acquirePerf, faultOf, kindsAsked, type PerfHost, readOnline } from '../perf/acquire.ts';
import { createCgroupCounters } from '../perf/cgroup_counters.ts';
import { type PerfFacts, sentence, verdictOf } from '../perf/facts.ts';
import { perfFlags } from '../perf/grammar.ts';
import { isOpenerUp } from '../perf/kernel.ts';
import { createLive, fdsOf } from '../perf/live.ts';
import { catalogMetrics, cgroupMetrics, groupMetrics, stateMetrics } from '../perf/metrics.ts';
import type { PerfKind } from '../perf/planned.ts';
import { coveredBy, createWatch, readAll } from '../perf/watch.ts';
import { type TopdownMemory, writeGroups, writeState } from '../perf/write.ts';

/** Says once what is not there although it was asked for. */
function report(host: PerfHost, facts: PerfFacts, kinds: readonly [PerfKind, ...PerfKind[]]): void {
  const ofCgroups = verdictOf(facts, 'cgroup');
  const hasNoCgroup = kinds.includes('cgroup') && facts.cgroups.length === 0 && ofCgroups.reason === 'no_cgroup';
  if (hasNoCgroup) {
    const { why, remedy } = ofCgroups;
    host.log.warn('there are no cgroups to count for', {
      pattern: host.flags.cgroupInclude?.source ?? '',
      why,
      remedy,
    });
    if (kinds.length === 1) return;
  }
  if (facts.groups.length + facts.cgroups.length === 0) {
    const { reason, why } = denial(facts, kinds);
    host.log.warn("perf counters are denied: run 'keyhole doctor' to see what to change", { reason, why });
    return;
  }
  for (const { event, pmu, why } of facts.missing) host.log.warn('cannot count an event', { pmu, event, reason: why });
  const reported = new Set<string>();
  for (const { kind, errno, lacks, cpus } of facts.unopened) {
    const { reason, why, remedy } = facts.verdicts[errno] as Verdict;
    if (reported.has(reason)) continue;
    reported.add(reason);
    const events = facts.unopened.filter((each) => each.errno === errno).map(({ event }) => event);
    const fields = { kind, reason, why, remedy, cpus: cpus.join(), events: [...new Set(events)].join() };
    if (lacks) host.log.info('this machine lacks some counters', fields);
    else host.log.warn('some counters are refused', fields);
  }
  const open = kinds.filter((kind) => facts.groups.some((group) => group.kind === kind));
  const counts = { groups: facts.groups.length, cgroups: facts.cgroups.length };
  host.log.debug('counters are open', { ...counts, kinds: open.join() });
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
    '/sys/devices/system/cpu/cpu<n>/topology/physical_package_id',
    '/sys/devices/system/cpu/cpu<n>/topology/die_id',
    '/sys/bus/event_source/devices/<pmu>/*',
    '/sys/fs/cgroup/<cgroup>',
    '/sys/kernel/tracing/events/<subsystem>/<event>/id',
    '/proc/mounts',
  ],
  flags: perfFlags,
  metrics: { ...stateMetrics, ...groupMetrics, ...cgroupMetrics, ...catalogMetrics },
  privileges: ['perfmon', 'sys_admin'],
  acquire: acquirePerf,
  setup(host) {
    const { acquired } = host;
    const [kind, ...others] = kindsAsked(host);
    if (kind === undefined) throw new UsageError('--collector.perf: every kind of counter is disabled');
    const kinds = [kind, ...others] as const;
    const fault = faultOf(acquired);
    if (acquired === undefined || fault !== undefined) {
      return () => {
        throw new Error(fault);
      };
    }
    let facts = acquired.facts as PerfFacts;
    const live = createLive(facts.groups, fdsOf(acquired.held));
    const cgroups = createCgroupCounters(host, acquired);
    const topdown: TopdownMemory = new Map();
    const watch = createWatch(
      host,
      {
        groups: () => [...live.groups, ...cgroups.groups()],
        reopen(acquire) {
          for (const group of live.groups) live.forget(group);
          cgroups.forget();
          const again = acquire();
          facts = again.facts as PerfFacts;
          live.replace(facts.groups, fdsOf(again.held));
          cgroups.replace(again);
          return facts;
        },
      },
      facts,
    );
    report(host, facts, kinds);
    let wasUp = true;
    const readBoth = async (turn: Turn, online: readonly number[]): Promise<ReadonlySet<number>> =>
      cgroups.update(turn, online, await readAll(live, online, turn));
    return async (out, turn) => {
      let online = readOnline(host.sys);
      if (watch(online, await readBoth(turn, online)) !== undefined) {
        online = readOnline(host.sys);
        await readBoth(turn, online);
      }
      if (wasUp && isOpenerUp() === false) {
        wasUp = false;
        host.log.error('the process that opens counters has ended: nothing can be opened any more');
      }
      const isOpen = (each: PerfKind): boolean =>
        each === 'cgroup' ? cgroups.count() > 0 : live.groups.some((group) => group.facts.kind === each);
      writeState(out, facts, new Map(kinds.map((each) => [each, isOpen(each)])));
      const covered = coveredBy([...live.groups, ...cgroups.groups()]);
      for (const cpu of host.flags.cpus ?? online)
        out.sample(stateMetrics.covered, covered.has(cpu) ? 1 : 0, String(cpu));
      writeGroups(out, live.groups, topdown);
      cgroups.write(out);
      if (live.groups.length + cgroups.count() === 0) throw new Error(`no counters: ${sentence(denial(facts, kinds))}`);
    };
  },
});
