import type { Metric } from '../core/collector.ts';

/** A query that makes sense of a metric, by its type, its name and its labels. */
export function promqlOf({ type, labels }: Pick<Metric, 'type' | 'labels'>, name: string): string {
  const family = name.replace(/_(bucket|sum|count)$/, '');
  if (type === 'histogram') return `histogram_quantile(0.9, sum by (instance, le) (rate(${family}_bucket[5m])))`;
  if (type === 'summary') return `rate(${family}_sum[5m]) / rate(${family}_count[5m])`;
  if (type === 'counter') {
    // What is counted, before where.
    const first = labels.find((label) => label !== 'cpu') ?? labels[0];
    return first === undefined ? `rate(${name}[5m])` : `sum by (instance, ${first}) (rate(${name}[5m]))`;
  }
  if (name.endsWith('_info')) return `count by (${labels.join(', ') || 'instance'}) (${name})`;
  return /_time_seconds$|timestamp/.test(name) ? `time() - ${name}` : name;
}
