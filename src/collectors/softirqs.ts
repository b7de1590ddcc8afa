import { defineCollector } from '../core/collector.ts';
import { ParseError, parsed } from '../core/errors.ts';
import { counter } from '../core/metric.ts';
import { fields, lines, uint } from '../core/text.ts';
import { parseCpuColumns } from '../parse/cpu_columns.ts';

const TYPES: ReadonlySet<string> = new Set([
  'HI',
  'TIMER',
  'NET_TX',
  'NET_RX',
  'BLOCK',
  'IRQ_POLL',
  'TASKLET',
  'SCHED',
  'HRTIMER',
  'RCU',
]);

export interface Softirqs {
  readonly cpus: readonly string[];
  readonly rows: readonly { readonly type: string; readonly counts: readonly number[] }[];
}

/** Parses `/proc/softirqs`, as far as the types are known. https://docs.kernel.org/filesystems/proc.html */
export function parseSoftirqs(text: string): Softirqs {
  const [heading, ...body] = lines(text);
  const cpus = parseCpuColumns(heading, 'softirqs');
  const rows: { type: string; counts: number[] }[] = [];
  for (const line of body) {
    const [name = '', ...columns] = fields(line);
    const type = name.slice(0, -1);
    if (!TYPES.has(type)) continue;
    if (columns.length !== cpus.length) throw new ParseError('softirqs', line);
    rows.push({ type, counts: columns.map((column) => parsed(uint(column), 'softirqs', line)) });
  }
  return { cpus, rows };
}

export default defineCollector({
  name: 'softirqs',
  help: 'Exposes counts of soft interrupts by CPU and type.',
  enabled: false,
  reads: ['/proc/softirqs'],
  flags: {},
  metrics: {
    total: counter('node_softirqs_functions_total', 'Soft interrupts that the CPU has served.', 'cpu', 'type'),
  },
  setup({ proc }, metrics) {
    return (out) => {
      const { cpus, rows } = parseSoftirqs(proc.read('softirqs'));
      for (const { type, counts } of rows)
        for (const [i, count] of counts.entries()) out.sample(metrics.total, count, cpus[i] as string, type);
    };
  },
});
