import { defineCollector } from '../core/collector.ts';
import { parsed } from '../core/errors.ts';
import { flag } from '../core/flag.ts';
import { counter } from '../core/metric.ts';
import { passes } from '../core/pattern.ts';
import { fields, lines, uint } from '../core/text.ts';
import { parseCpuColumns } from '../parse/cpu_columns.ts';

export interface Interrupt {
  /** A number, or the architecture's name for it (`LOC`). */
  readonly type: string;
  readonly counts: readonly number[];
  /** Of a numbered interrupt the chip that raises it, of another what it is for. */
  readonly info: string;
  /** Trigger and devices of a numbered interrupt. */
  readonly devices: string;
}

/** `undefined` for a row without a column for each CPU and a description: `ERR` and `MIS` are sums over all CPUs. */
function parseRow(line: string, cpuCount: number): Interrupt | undefined {
  // On arm64 the first count may follow the colon without a blank.
  const colon = line.indexOf(':');
  const columns = colon < 0 ? [] : fields(line.slice(colon + 1));
  if (columns.length < cpuCount + 1) return undefined;
  const counts = columns.slice(0, cpuCount).map((column) => parsed(uint(column), 'interrupts', line));
  const type = line.slice(0, colon).trimStart();
  const words = columns.slice(cpuCount);
  return /^[+-]?[0-9]+$/.test(type)
    ? { type, counts, info: words[0] as string, devices: words.slice(1).join(' ') }
    : { type, counts, info: words.join(' '), devices: '' };
}

export interface Interrupts {
  readonly cpus: readonly string[];
  /** One by one: a large machine has some thousands with some hundreds of counts each. */
  readonly rows: Iterable<Interrupt>;
}

/** Parses `/proc/interrupts`. https://docs.kernel.org/filesystems/proc.html */
export function parseInterrupts(text: string): Interrupts {
  const [heading, ...body] = lines(text);
  const cpus = parseCpuColumns(heading, 'interrupts');
  const rows = function* () {
    for (const line of body) {
      const row = parseRow(line, cpus.length);
      if (row !== undefined) yield row;
    }
  };
  return { cpus, rows: rows() };
}

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
    return async (out, turn) => {
      const { cpus, rows } = parseInterrupts(proc.read('interrupts'));
      for (const { type, counts, info, devices } of rows) {
        await turn.pause();
        if (!passes(`${type};${info};${devices}`, include, exclude)) continue;
        for (const [i, count] of counts.entries())
          if (zeros || count !== 0) out.sample(metrics.total, count, cpus[i] as string, type, info, devices);
      }
    };
  },
});
