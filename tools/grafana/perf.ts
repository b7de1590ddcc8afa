// The dashboard of performance counters: what the CPUs do with their cycles, and how far the numbers can be trusted.
import { CHOSEN, dashboard, figure, graph, list, type Query, row } from './panels.ts';

const rate = (metric: string, more = ''): string => `rate(${metric}{${CHOSEN}${more}}[$__rate_interval])`;
const sum = (metric: string, more = ''): string => `sum by (job, instance) (${rate(metric, more)})`;

const MACHINE = '{{instance}}';
const CPU = '{{instance}} CPU {{cpu}}';

/** One counter by another, of each machine. */
const ratio = (top: string, bottom: string, legend = MACHINE): Query => ({
  expr: `${sum(top)} / ${sum(bottom)}`,
  legend,
});
/** The same of each CPU. */
const ratioOfCpus = (top: string, bottom: string): Query => ({ expr: `${rate(top)} / ${rate(bottom)}`, legend: CPU });
const perThousandInstructions = (metric: string, legend = MACHINE): Query => ({
  expr: `1000 * ${sum(metric)} / ${sum('node_perf_instructions_total')}`,
  legend,
});

const share = { unit: 'percentunit', max: 1 } as const;

const overview = [
  row('At a glance'),
  figure({
    title: 'Instructions per cycle',
    about: 'Below about 0.5 on a busy machine memory is what it waits for; above 2 it computes.',
    unit: 'none',
    queries: [ratio('node_perf_instructions_total', 'node_perf_cpucycles_total')],
  }),
  figure({
    title: 'Instructions per second',
    about: 'Of all CPUs together.',
    unit: 'short',
    queries: [{ expr: sum('node_perf_instructions_total'), legend: MACHINE }],
  }),
  figure({
    title: 'Last level cache: misses per 1000 instructions',
    about: 'Reads that had to go to memory.',
    unit: 'none',
    queries: [perThousandInstructions('node_perf_cache_ll_read_misses_total')],
  }),
  figure({
    title: 'Branches predicted wrongly',
    about: 'As a share of the branches.',
    unit: 'percentunit',
    queries: [ratio('node_perf_branch_misses_total', 'node_perf_branch_instructions_total')],
  }),
  figure({
    title: 'CPUs that are counted',
    about: 'The share of the CPUs whose counters are read.',
    ...share,
    queries: [{ expr: `avg by (job, instance) (node_perf_cpu_covered{${CHOSEN}})`, legend: MACHINE }],
    limits: [1, 0.5],
  }),
  figure({
    title: 'Time really counted',
    about: 'Of the group that waited most. Below 1 counts are estimated, since groups take turns on the hardware.',
    ...share,
    queries: [
      {
        expr: `min by (job, instance) (${rate('node_perf_group_running_seconds_total')} / ${rate('node_perf_group_enabled_seconds_total')})`,
        legend: MACHINE,
      },
    ],
    limits: [0.5, 0.1],
  }),
  list({
    title: 'What is not counted, and why',
    about: 'keyhole doctor on the machine says what to change.',
    expr: `keyhole_perf_unavailable{${CHOSEN}} == 1`,
    columns: { instance: 'Machine', kind: 'Kind', reason: 'Reason' },
  }),
  list({
    title: 'Events that this machine cannot count',
    about: 'They were asked for by --collector.perf.events or --collector.perf.tracepoint.',
    expr: `node_perf_event_missing{${CHOSEN}} == 1`,
    columns: { instance: 'Machine', kind: 'Kind', pmu: 'PMU', event: 'Event' },
  }),
];

const work = [
  row('Work'),
  graph({
    title: 'Instructions per cycle, by CPU',
    about: 'Compare a CPU with itself: counters of different makers do not compare.',
    unit: 'none',
    queries: [ratioOfCpus('node_perf_instructions_total', 'node_perf_cpucycles_total')],
  }),
  graph({
    title: 'Instructions per second, by CPU',
    about: 'How much the CPU gets done.',
    unit: 'short',
    queries: [{ expr: rate('node_perf_instructions_total'), legend: CPU }],
  }),
  graph({
    title: 'Cycles per second, by CPU',
    about: 'The frequency, times the share of the time in which the CPU runs.',
    unit: 'hertz',
    queries: [{ expr: rate('node_perf_cpucycles_total'), legend: CPU }],
  }),
  graph({
    title: 'Cycles to reference cycles',
    about: 'Above 1 the CPU runs faster than its base frequency, below it is slowed down.',
    unit: 'none',
    queries: [ratioOfCpus('node_perf_cpucycles_total', 'node_perf_ref_cpucycles_total')],
  }),
  graph({
    title: 'Instructions per cycle, by CPU model',
    about: 'Over all chosen machines; --collector.cpu.info gives the models.',
    unit: 'none',
    queries: [
      {
        expr: ['node_perf_instructions_total', 'node_perf_cpucycles_total']
          .map(
            (metric) =>
              `sum by (model_name) (${rate(metric)} * on (job, instance, cpu) group_left (model_name) node_cpu_info{${CHOSEN}})`,
          )
          .join(' / '),
        legend: '{{model_name}}',
      },
    ],
  }),
  graph({
    title: 'Cycles that stalled',
    about: 'Frontend: no instruction was ready to issue. Backend: instructions waited for memory or for units.',
    ...share,
    queries: [
      ratio('node_perf_stalled_cycles_frontend_total', 'node_perf_cpucycles_total', '{{instance}} frontend'),
      ratio('node_perf_stalled_cycles_backend_total', 'node_perf_cpucycles_total', '{{instance}} backend'),
    ],
  }),
  graph({
    title: 'Top-down: where the slots went',
    about: 'Of the slots in which an operation could have been issued. Only CPUs with these events have them.',
    ...share,
    isStacked: true,
    width: 24,
    queries: [
      {
        expr: `sum by (job, instance, category) (${rate('node_perf_topdown_slots_total')}) / on (job, instance) group_left sum by (job, instance) (${rate('node_perf_topdown_slots_total')})`,
        legend: '{{instance}} {{category}}',
      },
    ],
  }),
];

const caches = [
  row('Caches'),
  graph({
    title: 'Caches: misses as a share of accesses',
    about: 'Names that end in hits count accesses, misses included.',
    ...share,
    queries: [
      ratio('node_perf_cache_misses_total', 'node_perf_cache_refs_total', "{{instance}} the maker's choice"),
      ratio(
        'node_perf_cache_ll_read_misses_total',
        'node_perf_cache_ll_read_hits_total',
        '{{instance}} last level reads',
      ),
      ratio(
        'node_perf_cache_ll_write_misses_total',
        'node_perf_cache_ll_write_hits_total',
        '{{instance}} last level writes',
      ),
      ratio(
        'node_perf_cache_l1d_read_misses_total',
        'node_perf_cache_l1d_read_hits_total',
        '{{instance}} L1 data reads',
      ),
    ],
  }),
  graph({
    title: 'Caches: misses per 1000 instructions',
    about: 'What counts for speed: a high share of few accesses costs little.',
    unit: 'none',
    queries: [
      perThousandInstructions('node_perf_cache_ll_read_misses_total', '{{instance}} last level reads'),
      perThousandInstructions('node_perf_cache_l1d_read_misses_total', '{{instance}} L1 data reads'),
      perThousandInstructions('node_perf_cache_l1_instr_read_misses_total', '{{instance}} L1 instructions'),
    ],
  }),
  graph({
    title: 'Last level cache: read misses per 1000 instructions, by CPU',
    about: 'CPUs that wait for memory.',
    unit: 'none',
    queries: [
      {
        expr: `1000 * ${rate('node_perf_cache_ll_read_misses_total')} / ${rate('node_perf_instructions_total')}`,
        legend: CPU,
      },
    ],
  }),
  graph({
    title: 'TLB: misses as a share of look-ups',
    about: 'Huge pages help where the data TLB misses much.',
    ...share,
    queries: [
      ratio(
        'node_perf_cache_tlb_data_read_misses_total',
        'node_perf_cache_tlb_data_read_hits_total',
        '{{instance}} data reads',
      ),
      ratio(
        'node_perf_cache_tlb_data_write_misses_total',
        'node_perf_cache_tlb_data_write_hits_total',
        '{{instance}} data writes',
      ),
      ratio(
        'node_perf_cache_tlb_instr_read_misses_total',
        'node_perf_cache_tlb_instr_read_hits_total',
        '{{instance}} instructions',
      ),
    ],
  }),
  graph({
    title: 'TLB: misses per 1000 instructions',
    about: 'Each miss is a walk through the page tables.',
    unit: 'none',
    queries: [
      perThousandInstructions('node_perf_cache_tlb_data_read_misses_total', '{{instance}} data reads'),
      perThousandInstructions('node_perf_cache_tlb_data_write_misses_total', '{{instance}} data writes'),
      perThousandInstructions('node_perf_cache_tlb_instr_read_misses_total', '{{instance}} instructions'),
    ],
  }),
  graph({
    title: 'Branches predicted wrongly',
    about: 'By the counter of all branches, and by that of the prediction unit.',
    ...share,
    queries: [
      ratio('node_perf_branch_misses_total', 'node_perf_branch_instructions_total', '{{instance}} branches'),
      ratio(
        'node_perf_cache_bpu_read_misses_total',
        'node_perf_cache_bpu_read_hits_total',
        '{{instance}} prediction unit',
      ),
    ],
  }),
];

const CGROUP = '{{instance}} {{cgroup}}';
/** Of so many as a graph can show. */
const most = (expr: string): Query => ({ expr: `topk(20, ${expr})`, legend: CGROUP });
const RECORDED_CPI = `cgroup:node_perf_cpi:ratio_rate5m{${CHOSEN}}`;

const cgroups = [
  row('Cgroups'),
  graph({
    title: 'Cycles per instruction, by cgroup',
    about:
      'The twenty with most. What takes more cycles than it usually does is slowed down. --collector.perf.cgroup-include gives cgroups.',
    unit: 'none',
    queries: [most(`${rate('node_perf_cgroup_cycles_total')} / (${rate('node_perf_cgroup_instructions_total')} > 0)`)],
  }),
  graph({
    title: 'Cycles per instruction: how far from the last day’s',
    about: 'In standard deviations, by the recording rules: above 2 for some minutes somebody is slowed down.',
    unit: 'none',
    queries: [most(`(${RECORDED_CPI} - avg_over_time(${RECORDED_CPI}[1d])) / stddev_over_time(${RECORDED_CPI}[1d])`)],
  }),
  graph({
    title: 'Cycles per second, by cgroup',
    about: 'Who has the CPUs: the twenty with most.',
    unit: 'hertz',
    queries: [most(rate('node_perf_cgroup_cycles_total'))],
  }),
  graph({
    title: 'Time really counted, by cgroup',
    about: 'The twenty that waited most. Below 1 counts are estimated, since groups take turns on the hardware.',
    ...share,
    queries: [
      {
        expr: `bottomk(20, ${rate('node_perf_cgroup_running_seconds_total')} / (${rate('node_perf_cgroup_enabled_seconds_total')} > 0))`,
        legend: CGROUP,
      },
    ],
  }),
  graph({
    title: 'Cgroups, by what becomes of them',
    about:
      'Left out: more than --collector.perf.cgroup-max. Late: they came when no counters could be opened any more. Refused: the log says why.',
    unit: 'none',
    queries: [{ expr: `keyhole_perf_cgroups{${CHOSEN}}`, legend: '{{instance}} {{state}}' }],
  }),
  graph({
    title: 'The process that opens counters',
    about: '1 while it is there, with --privilege.mode=separated. Without it, cgroups that come later are not counted.',
    unit: 'none',
    max: 1,
    queries: [{ expr: `keyhole_perf_opener_up{${CHOSEN}}`, legend: MACHINE }],
  }),
];

const trust = [
  row('How far to trust the numbers'),
  graph({
    title: 'Time really counted, by kind of events',
    about:
      'The group of the kind that waited most. Fewer events (--collector.perf.disable-cache-profilers) mean fewer turns.',
    ...share,
    queries: [
      {
        expr: `min by (job, instance, kind, pmu) (${rate('node_perf_group_running_seconds_total')} / ${rate('node_perf_group_enabled_seconds_total')})`,
        legend: '{{instance}} {{kind}} {{pmu}}',
      },
    ],
  }),
  graph({
    title: 'CPUs that are counted',
    about: 'A sealed process cannot open counters of a CPU that comes later.',
    unit: 'none',
    queries: [
      { expr: `sum by (job, instance) (node_perf_cpu_covered{${CHOSEN}})`, legend: '{{instance}} counted' },
      { expr: `count by (job, instance) (node_perf_cpu_covered{${CHOSEN}})`, legend: '{{instance}} there' },
    ],
  }),
];

const ratioOfEnergy: Query = {
  expr: `${sum('node_perf_instructions_total')} / ${sum('node_perf_energy_joules_total', ', domain="pkg"')}`,
  legend: MACHINE,
};

const energy = [
  row('Energy'),
  graph({
    title: 'Power',
    about: 'Of packages and what is in them; by the power PMU, and by RAPL where its counters may be read.',
    unit: 'watt',
    queries: [
      { expr: rate('node_perf_energy_joules_total'), legend: '{{instance}} package {{package}} {{domain}}' },
      { expr: rate('node_rapl_package_joules_total'), legend: '{{instance}} RAPL package {{index}}' },
    ],
  }),
  graph({
    title: 'Instructions per joule',
    about: 'What a joule of the packages buys.',
    unit: 'short',
    queries: [ratioOfEnergy],
  }),
  graph({
    title: 'Memory traffic',
    about: 'What the memory controllers read and wrote.',
    unit: 'Bps',
    queries: [{ expr: rate('node_perf_memory_bytes_total'), legend: '{{instance}} package {{package}} {{direction}}' }],
  }),
];

const software = [
  row('What the kernel counts'),
  graph({
    title: 'Context switches, by CPU',
    about: 'There on every machine, virtual ones too.',
    unit: 'ops',
    queries: [{ expr: rate('node_perf_context_switches_total'), legend: CPU }],
  }),
  graph({
    title: 'Tasks that changed the CPU',
    about: 'A task that moves leaves its cache behind.',
    unit: 'ops',
    queries: [{ expr: sum('node_perf_cpu_migrations_total'), legend: MACHINE }],
  }),
  graph({
    title: 'Page faults',
    about: 'Major faults wait for a disk.',
    unit: 'ops',
    queries: [
      { expr: sum('node_perf_minor_faults_total'), legend: '{{instance}} minor' },
      { expr: sum('node_perf_major_faults_total'), legend: '{{instance}} major' },
    ],
  }),
  graph({
    title: 'Instructions between two context switches',
    about: 'How long a task works before another gets the CPU.',
    unit: 'short',
    queries: [ratio('node_perf_instructions_total', 'node_perf_context_switches_total')],
  }),
];

export const perfDashboard = dashboard({
  uid: 'keyhole-perf',
  title: 'Keyhole / Performance counters',
  about:
    'Instructions per cycle, misses of caches, TLBs and branch prediction, stalls, energy, and how far to trust them.',
  metric: 'node_perf_available',
  panels: [...overview, ...work, ...caches, ...cgroups, ...trust, ...energy, ...software],
});
