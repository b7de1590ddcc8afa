import { defineCollector } from '../core/collector.ts';
import { flag } from '../core/flag.ts';
import type { Line } from '../core/host.ts';
import { counter, type Family, gauge } from '../core/metric.ts';

/** The order of the columns of the `softirq` line, after the total. */
const VECTORS = [
  'hi',
  'timer',
  'net_tx',
  'net_rx',
  'block',
  'block_iopoll',
  'tasklet',
  'sched',
  'hrtimer',
  'rcu',
] as const;

/** `/proc/stat` but for the CPUs' lines. https://docs.kernel.org/filesystems/proc.html */
export default defineCollector({
  name: 'stat',
  help: 'Exposes counts of interrupts, context switches and processes since boot, and the time of the boot.',
  enabled: true,
  reads: ['/proc/stat'],
  flags: {
    softirq: flag.bool('collector.stat.softirq', 'Expose soft interrupts by vector.'),
  },
  metrics: {
    intr: counter('node_intr_total', 'Interrupts that the kernel has served.'),
    ctxt: counter('node_context_switches_total', 'Switches from one task to another.'),
    processes: counter('node_forks_total', 'Processes and threads created.'),
    btime: gauge('node_boot_time_seconds', 'When the machine was booted, in seconds since 1970.'),
    procs_running: gauge('node_procs_running', 'Tasks that run or could run.'),
    procs_blocked: gauge('node_procs_blocked', 'Tasks that wait for input or output to complete.'),
    softirqs: counter('node_softirqs_total', 'Soft interrupts that the kernel has served.', 'vector'),
  },
  setup({ proc, flags }, { softirqs, ...totals }) {
    const families: ReadonlyMap<string, Family<readonly []>> = new Map(Object.entries(totals));
    const counts = (line: Line) =>
      VECTORS.map((vector, i) => [vector, i + 2] as const).filter(([, column]) => column < line.length);
    return proc.lineTable('stat', (line, out) => {
      const key = line.find(0) ?? '';
      const family = families.get(key);
      // The line `intr` goes on with thousands of numbers.
      if (family !== undefined) out.sample(family, line.uint(1));
      if (flags.softirq && key === 'softirq')
        for (const [vector, column] of counts(line)) out.sample(softirqs, line.uint(column), vector);
    });
  },
});
