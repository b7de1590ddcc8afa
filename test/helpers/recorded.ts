import { createServer, type Server } from 'node:http';

/**
 * A machine with every counter that a dashboard asks for, since the one that tests run on may be a virtual one without. It is
 * a web server whose counters grow at known rates, so that what a query makes of them is known too.
 */

const CPUS = ['0', '1', '2', '3'];

/** Counts a second, on each CPU. */
export const PERF_RATES = {
  node_perf_cpucycles_total: 2e9,
  node_perf_ref_cpucycles_total: 1.6e9,
  node_perf_instructions_total: 3e9,
  node_perf_cache_refs_total: 1e8,
  node_perf_cache_misses_total: 2e7,
  node_perf_branch_instructions_total: 6e8,
  node_perf_branch_misses_total: 1.2e7,
  node_perf_stalled_cycles_frontend_total: 2e8,
  node_perf_stalled_cycles_backend_total: 8e8,
  node_perf_cache_l1d_read_hits_total: 1e9,
  node_perf_cache_l1d_read_misses_total: 3e7,
  node_perf_cache_l1_instr_read_misses_total: 3e6,
  node_perf_cache_ll_read_hits_total: 3e7,
  node_perf_cache_ll_read_misses_total: 6e6,
  node_perf_cache_ll_write_hits_total: 1e7,
  node_perf_cache_ll_write_misses_total: 1e6,
  node_perf_cache_tlb_data_read_hits_total: 1e9,
  node_perf_cache_tlb_data_read_misses_total: 1e6,
  node_perf_cache_tlb_data_write_hits_total: 5e8,
  node_perf_cache_tlb_data_write_misses_total: 1e5,
  node_perf_cache_tlb_instr_read_hits_total: 1e8,
  node_perf_cache_tlb_instr_read_misses_total: 1e4,
  node_perf_cache_bpu_read_hits_total: 6e8,
  node_perf_cache_bpu_read_misses_total: 1.2e7,
  node_perf_context_switches_total: 1000,
  node_perf_cpu_migrations_total: 10,
  node_perf_minor_faults_total: 500,
  node_perf_major_faults_total: 1,
} as const;

/** Other counters: series, and what they grow by in a second. */
const RATES: Readonly<Record<string, number>> = {
  'node_perf_energy_joules_total{package="0",domain="pkg"}': 60,
  'node_perf_energy_joules_total{package="0",domain="ram"}': 6,
  'node_perf_memory_bytes_total{package="0",die="0",direction="read"}': 1e9,
  'node_perf_cgroup_cycles_total{cgroup="/kubepods/pod1/c1"}': 2e9,
  'node_perf_cgroup_instructions_total{cgroup="/kubepods/pod1/c1"}': 1e9,
  'node_perf_cgroup_enabled_seconds_total{cgroup="/kubepods/pod1/c1"}': 1,
  'node_perf_cgroup_running_seconds_total{cgroup="/kubepods/pod1/c1"}': 1,
  'node_rapl_package_joules_total{index="0",path="/sys/class/powercap/intel-rapl:0"}': 60,
};

/** Values that stay. */
const GAUGES: Readonly<Record<string, number>> = {
  'node_perf_available{kind="hardware"}': 1,
  'node_perf_available{kind="tracepoint"}': 0,
  'keyhole_perf_unavailable{kind="tracepoint",reason="no_tracefs"}': 1,
  'node_perf_event_missing{kind="event",pmu="gpu",event="busy"}': 1,
  'keyhole_perf_cgroups{state="counted"}': 1,
  keyhole_perf_opener_up: 1,
  'container_last_seen{id="/kubepods/pod1/c1",namespace="shop",pod="web-1",container="web"}': 1,
  'node_hwmon_temp_celsius{chip="platform_coretemp_0",sensor="temp1"}': 50,
  'node_scrape_collector_success{collector="zfs"}': 0,
};

const SLOTS = { retiring: 0.5, bad_speculation: 0.1, frontend_bound: 0.15, backend_bound: 0.25 };

function perCpu(cpu: string, seconds: number): string[] {
  const groups = [
    ['hardware', '0', 1],
    ['cache', '1', 0.5],
  ] as const;
  return [
    `node_cpu_info{cpu="${cpu}",model_name="Model ${Number(cpu) % 2}"} 1`,
    `node_cpu_scaling_frequency_hertz{cpu="${cpu}"} 2e9`,
    `node_perf_cpu_covered{cpu="${cpu}"} 1`,
    ...Object.entries(PERF_RATES).map(([name, rate]) => `${name}{cpu="${cpu}"} ${rate * seconds}`),
    ...Object.entries(SLOTS).map(
      ([category, share]) =>
        `node_perf_topdown_slots_total{cpu="${cpu}",category="${category}"} ${share * 8e9 * seconds}`,
    ),
    ...groups.flatMap(([kind, group, share]) => {
      const labels = `{cpu="${cpu}",kind="${kind}",pmu="cpu",group="${group}"}`;
      return [
        `node_perf_group_enabled_seconds_total${labels} ${seconds}`,
        `node_perf_group_running_seconds_total${labels} ${share * seconds}`,
      ];
    }),
  ];
}

/** The text at a moment, in seconds since any. */
export const recordedText = (seconds: number): string =>
  [
    ...CPUS.flatMap((cpu) => perCpu(cpu, seconds)),
    ...Object.entries(RATES).map(([series, rate]) => `${series} ${rate * seconds}`),
    ...Object.entries(GAUGES).map(([series, value]) => `${series} ${value}`),
    '',
  ].join('\n');

export const recordedMachine = (): Server =>
  createServer((_, answer) => {
    answer.setHeader('content-type', 'text/plain; version=0.0.4');
    answer.end(recordedText(1000 + performance.now() / 1000));
  });
