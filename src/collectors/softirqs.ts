import { defineCollector } from '../core/collector.ts';
import { counter } from '../core/metric.ts';
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

export default defineCollector({
  name: 'softirqs',
  help: 'Exposes counts of soft interrupts by CPU and type.',
  enabled: false,
  reads: ['/proc/softirqs'],
  flags: {},
  metrics: {
    total: counter('node_softirqs_functions_total', 'Soft interrupts that the CPU has served.', 'cpu', 'type'),
  },
  /** A heading with the CPUs, then a row for each type. https://docs.kernel.org/filesystems/proc.html */
  setup({ proc }, metrics) {
    return proc.table('softirqs', (lines, out) => {
      const cpus = parseCpuColumns(lines.at(0)?.rest(0), 'softirqs');
      lines.each((line, row) => {
        if (row === 0) return;
        const type = line.word(0).slice(0, -1);
        if (!TYPES.has(type)) return out.passedOver(type);
        if (line.length !== cpus.length + 1) throw line.fault();
        for (const [i, cpu] of cpus.entries()) out.sample(metrics.total, line.uint(i + 1), cpu, type);
      });
    });
  },
});
