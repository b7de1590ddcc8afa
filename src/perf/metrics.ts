import { counter, dynamic, type Family, gauge } from '../core/metric.ts';
import { CATALOG } from './catalog.ts';

/** The families of the perf collector. */

export const stateMetrics = {
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
  opener: gauge(
    'keyhole_perf_opener_up',
    'Whether the process that opens counters for this one answers (1) or has ended (0); only with --privilege.mode=separated.',
  ),
} as const;

export const groupMetrics = {
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
    "Counts of the events of --collector.perf.events that a CPU counts, times the kernel's scale, in the unit named.",
    'cpu',
    'pmu',
    'event',
    'unit',
  ),
  uncore: counter(
    'node_perf_uncore_event_total',
    "Counts of events outside of the cores, for a package's die, times the kernel's scale, in the unit named.",
    'package',
    'die',
    'pmu',
    'event',
    'unit',
  ),
  energy: counter(
    'node_perf_energy_joules_total',
    "Energy that a package has used, by the kernel's power event sources; domain is pkg, cores, ram, gpu, psys or core.",
    'package',
    'domain',
  ),
  memory: counter(
    'node_perf_memory_bytes_total',
    "Bytes that a die's memory controllers have read or written.",
    'package',
    'die',
    'direction',
  ),
  topdown: counter(
    'node_perf_topdown_slots_total',
    'Slots in which the CPU could have issued an operation, by where they went: retiring, bad_speculation, frontend_bound, backend_bound.',
    'cpu',
    'category',
  ),
  topdownDetail: counter(
    'node_perf_topdown_detail_slots_total',
    'The same slots, each category in two: heavy_operations and light_operations, branch_mispredicts and machine_clears, fetch_latency and fetch_bandwidth, memory_bound and core_bound.',
    'cpu',
    'category',
  ),
  tracepoint: dynamic.counter('node_perf_<subsystem>_<event>', 'Hits of the tracepoint <subsystem>:<event>.', 'cpu'),
} as const;

/** Beside `groupMetrics` in one declaration: no key may be in both. */
export const cgroupMetrics = {
  cycles: counter(
    'node_perf_cgroup_cycles_total',
    'Cycles that CPUs ran for tasks of the cgroup and of those below it.',
    'cgroup',
  ),
  instructions: counter(
    'node_perf_cgroup_instructions_total',
    'Instructions retired for tasks of the cgroup and of those below it.',
    'cgroup',
  ),
  cgroupEvent: counter(
    'node_perf_cgroup_event_total',
    "Counts of the other events of --collector.perf.cgroup-events, for the cgroup and those below it, times the kernel's scale, in the unit named.",
    'cgroup',
    'event',
    'unit',
  ),
  cgroupEnabled: counter(
    'node_perf_cgroup_enabled_seconds_total',
    "How long the cgroup's groups of counters were wanted: while its tasks ran, summed over groups and CPUs.",
    'cgroup',
  ),
  cgroupRunning: counter(
    'node_perf_cgroup_running_seconds_total',
    "How long the cgroup's groups of counters were counting; less than enabled where groups take turns.",
    'cgroup',
  ),
  cgroups: gauge(
    'keyhole_perf_cgroups',
    'Cgroups of --collector.perf.cgroup-include: counted, left_out (more than the maximum), late (came after the start) or refused.',
    'state',
  ),
} as const;

export const catalogMetrics: Readonly<Record<string, Family<readonly [string]>>> = Object.fromEntries(
  CATALOG.map(({ name, metric, help }) => [name, counter(metric, help, 'cpu')]),
);
