import { defineCollector } from '../core/collector.ts';
import { parsed } from '../core/errors.ts';
import { flag } from '../core/flag.ts';
import { counter, gauge } from '../core/metric.ts';
import { fields, lines, uint } from '../core/text.ts';

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

const KEYS = ['intr', 'ctxt', 'processes', 'btime', 'procs_running', 'procs_blocked'] as const;
type Key = (typeof KEYS)[number];

export interface KernelStat {
  /** By the first word of the line; what the kernel does not write is missing. `btime` is in seconds since 1970. */
  readonly totals: ReadonlyMap<Key, number>;
  /** Soft interrupts by the kernel's order of vectors. */
  readonly softirqs: readonly number[];
}

const isKey = (word: string): word is Key => (KEYS as readonly string[]).includes(word);

/** Parses `/proc/stat` but for the CPUs' lines. https://docs.kernel.org/filesystems/proc.html */
export function parseStat(text: string): KernelStat {
  const totals = new Map<Key, number>();
  let softirqs: readonly number[] = [];
  for (const line of lines(text)) {
    const [word = ''] = line.split(' ', 1);
    if (isKey(word)) {
      // The line `intr` goes on with thousands of numbers.
      totals.set(word, parsed(uint(line.split(' ', 2)[1]), 'stat', line));
    } else if (word === 'softirq') {
      softirqs = parseSoftirqs(line);
    }
  }
  return { totals, softirqs };
}

function parseSoftirqs(line: string): number[] {
  const [, , ...counts] = fields(line);
  return counts.map((count) => parsed(uint(count), 'stat', line));
}

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
  setup({ proc, flags }, metrics) {
    return (out) => {
      const { totals, softirqs } = parseStat(proc.read('stat'));
      for (const [key, total] of totals) out.sample(metrics[key], total);
      if (!flags.softirq) return;
      for (const [i, vector] of VECTORS.entries()) {
        const count = softirqs[i];
        if (count !== undefined) out.sample(metrics.softirqs, count, vector);
      }
    };
  },
});
