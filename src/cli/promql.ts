import type { Metric } from '../core/collector.ts';

/** What counts up although its type is unknown, as the reference has it: but for what the kernel keeps as a level. */
const COUNTED =
  /^node_(vmstat_(?!nr_(?!dirtied|written|vmscan|foll_pin)|workingset_nodes)|netstat_(?!Tcp_(CurrEstab|Rto|MaxConn)|Ip_(Forwarding|DefaultTTL)))/;

/** What a counter is worth most beside. */
const WHOLES: Readonly<Record<string, string>> = {
  node_perf_instructions_total: 'node_perf_cpucycles_total',
  node_perf_cache_misses_total: 'node_perf_cache_refs_total',
  node_perf_branch_misses_total: 'node_perf_branch_instructions_total',
};

/** A query that makes sense of a metric, by its type, its name and its labels. */
export function promqlOf({ type, labels }: Pick<Metric, 'type' | 'labels'>, name: string): string {
  const family = name.replace(/_(bucket|sum|count)$/, '');
  const whole = WHOLES[name];
  if (whole !== undefined) return [name, whole].map((each) => `sum by (instance) (rate(${each}[5m]))`).join(' / ');
  if (type === 'histogram') return `histogram_quantile(0.9, sum by (instance, le) (rate(${family}_bucket[5m])))`;
  if (type === 'summary') return `rate(${family}_sum[5m]) / rate(${family}_count[5m])`;
  if (type === 'counter') {
    // What is counted, before where.
    const first = labels.find((label) => label !== 'cpu') ?? labels[0];
    return first === undefined ? `rate(${name}[5m])` : `sum by (instance, ${first}) (rate(${name}[5m]))`;
  }
  if (COUNTED.test(name)) return `rate(${name}[5m])`;
  if (name.endsWith('_info')) return `count by (${labels.join(', ') || 'instance'}) (${name})`;
  return /_time_seconds$|timestamp/.test(name) ? `time() - ${name}` : name;
}
