import type { Metric } from '../core/collector.ts';
import {
  CATALOG,
  type CatalogEvent,
  PERF_TYPE_HARDWARE,
  PERF_TYPE_HW_CACHE,
  PERF_TYPE_SOFTWARE,
} from '../perf/catalog.ts';

/** What the help of a family says of one of its names: `The field pgfault of /proc/vmstat.` */
export function helpOf(metric: Metric, name: string): string {
  if (!('pattern' in metric) || name === metric.pattern) return metric.help;
  const fields = [...metric.pattern.matchAll(/<([a-z_]+)>/g)].map(([, field = '']) => field);
  const parts = metric.pattern.split(/<[a-z_]+>/).map((part) => RegExp.escape(part));
  // Each but the last is the shortest text that fits: the name of a protocol, and then all of what it counts.
  const source = parts.map((part, i) => (i === 0 ? part : `(.+${i < fields.length ? '?' : ''})${part}`)).join('');
  const [, ...values] = new RegExp(`^${source}$`).exec(name) ?? [];
  return fields.reduce((help, field, i) => help.replaceAll(`<${field}>`, values[i] ?? `<${field}>`), metric.help);
}

/** `enum perf_hw_id`, `enum perf_sw_ids` and the parts of a cache event, as `include/uapi/linux/perf_event.h` has them. */
const HARDWARE = [
  'CPU_CYCLES',
  'INSTRUCTIONS',
  'CACHE_REFERENCES',
  'CACHE_MISSES',
  'BRANCH_INSTRUCTIONS',
  'BRANCH_MISSES',
  'BUS_CYCLES',
  'STALLED_CYCLES_FRONTEND',
  'STALLED_CYCLES_BACKEND',
  'REF_CPU_CYCLES',
];
const SOFTWARE = [
  'CPU_CLOCK',
  'TASK_CLOCK',
  'PAGE_FAULTS',
  'CONTEXT_SWITCHES',
  'CPU_MIGRATIONS',
  'PAGE_FAULTS_MIN',
  'PAGE_FAULTS_MAJ',
];
const CACHES = ['L1D', 'L1I', 'LL', 'DTLB', 'ITLB', 'BPU'];
const OPS = ['READ', 'WRITE'];
const RESULTS = ['ACCESS', 'MISS'];

function kernelName({ type, config }: CatalogEvent): string {
  const number = Number(config);
  switch (type) {
    case PERF_TYPE_HARDWARE:
      return `PERF_COUNT_HW_${HARDWARE[number]}`;
    case PERF_TYPE_SOFTWARE:
      return `PERF_COUNT_SW_${SOFTWARE[number]}`;
    case PERF_TYPE_HW_CACHE: {
      const parts = [CACHES[number & 0xff], `OP_${OPS[(number >> 8) & 0xff]}`, `RESULT_${RESULTS[number >> 16]}`];
      return parts.map((part) => `PERF_COUNT_HW_CACHE_${part}`).join(', ');
    }
    default:
      return `type ${type}, config ${config}`;
  }
}

const eventOf = (name: string): CatalogEvent | undefined => CATALOG.find(({ metric }) => metric === name);

/** What the perf collector asks the kernel for, beside the files that it reads. */
export function callsOf(collector: string, name: string): readonly string[] {
  if (collector !== 'perf') return [];
  const event = eventOf(name);
  return [event === undefined ? 'perf_event_open' : `perf_event_open: ${kernelName(event)}`];
}

/** The kind of counters that a metric is of. */
export const perfKindOf = (name: string): string | undefined => eventOf(name)?.kind;

/** The files behind what the exporter says of itself. */
const OWN_FILES: readonly (readonly [names: RegExp, files: readonly string[]])[] = [
  [/^process_open_fds$/, ['/proc/self/fd']],
  [/^process_(max_fds|virtual_memory_max_bytes)$/, ['/proc/self/limits']],
  [/^process_network_/, ['/proc/net/netstat']],
  [/^process_start_time_seconds$/, ['/proc/self/stat', '/proc/stat']],
  [/^process_/, ['/proc/self/stat']],
  [/^keyhole_privilege_(capable_threads|no_new_privs)$/, ['/proc/self/task/<thread>/status']],
];

export const ownFilesOf = (name: string): readonly string[] => OWN_FILES.find(([names]) => names.test(name))?.[1] ?? [];
