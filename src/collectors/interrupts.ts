import { defineCollector } from '../core/collector.ts';
import { flag } from '../core/flag.ts';
import type { Line } from '../core/host.ts';
import { counter } from '../core/metric.ts';
import { passes } from '../core/pattern.ts';
import { fields } from '../core/text.ts';
import { parseCpuColumns } from '../parse/cpu_columns.ts';

interface Interrupt {
  /** A number, or the architecture's name for it (`LOC`). */
  readonly type: string;
  /** Of a numbered interrupt the chip that raises it, of another what it is for. */
  readonly info: string;
  /** Trigger and devices of a numbered interrupt. */
  readonly devices: string;
}

/** What a row is about, behind whose colon counts begin in column `first`. */
function interruptOf(line: Line, head: string, first: number, cpuCount: number): Interrupt {
  const type = head.slice(0, -1);
  const words = fields(line.rest(first + cpuCount));
  return /^[+-]?[0-9]+$/.test(type)
    ? { type, info: words[0] as string, devices: words.slice(1).join(' ') }
    : { type, info: words.join(' '), devices: '' };
}

/** `/proc/interrupts`: CPUs, then a row of counts for each source. https://docs.kernel.org/filesystems/proc.html */
export default defineCollector({
  name: 'interrupts',
  help: 'Exposes counts of interrupts by CPU and source.',
  enabled: false,
  reads: ['/proc/interrupts'],
  flags: {
    include: flag.regexp(
      'collector.interrupts.name-include',
      'Pattern of interrupts to expose, held against <name>;<info>;<devices>.',
    ),
    exclude: flag.regexp(
      'collector.interrupts.name-exclude',
      'Pattern of interrupts to leave out, held against <name>;<info>;<devices>.',
    ),
    zeros: flag.bool('collector.interrupts.include-zeros', 'Expose counts of zero too.', true),
  },
  metrics: {
    total: counter('node_interrupts_total', 'Interrupts that the CPU has served.', 'cpu', 'type', 'info', 'devices'),
  },
  setup({ proc, flags: { include, exclude, zeros } }, metrics) {
    const count = (line: Line, column: number, head: string) =>
      zeros || column === 0 ? line.uint(column, column === 0 ? head : '') : line.positive(column);
    return proc.table('interrupts', (lines, out) => {
      const cpus = parseCpuColumns(lines.at(0)?.rest(0), proc.path('interrupts'));
      lines.each((line, row) => {
        if (row === 0) return;
        const head = line.upTo(0, ':');
        // On arm64 the first count may follow the colon without a blank.
        const first = line.find(0) === head ? 1 : 0;
        // `ERR` and `MIS` are sums over all CPUs.
        if (head === undefined || line.length <= first + cpus.length) return;
        const { type, info, devices } = interruptOf(line, head, first, cpus.length);
        if (!passes(`${type};${info};${devices}`, include, exclude)) return;
        for (const [i, cpu] of cpus.entries())
          out.sample(metrics.total, count(line, first + i, head), cpu, type, info, devices);
      });
    });
  },
});
