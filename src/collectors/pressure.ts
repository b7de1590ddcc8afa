import { defineCollector } from '../core/collector.ts';
import { hasErrno, NoDataError, optional, parsed } from '../core/errors.ts';
import type { Tree } from '../core/host.ts';
import { counter } from '../core/metric.ts';
import { fields, lines, uint } from '../core/text.ts';

/** Totals in microseconds; a line that the kernel does not write is missing. */
export interface Pressure {
  readonly someUs: number | undefined;
  readonly fullUs: number | undefined;
}

function parseTotal(line: string): number {
  const total = fields(line).find((field) => field.startsWith('total='));
  return parsed(uint(total?.slice('total='.length)), 'pressure', line);
}

/** Parses a file of `/proc/pressure/`. https://docs.kernel.org/accounting/psi.html */
export function parsePressure(text: string): Pressure {
  let someUs: number | undefined;
  let fullUs: number | undefined;
  for (const line of lines(text)) {
    if (line.startsWith('some ')) someUs = parseTotal(line);
    else if (line.startsWith('full ')) fullUs = parseTotal(line);
  }
  return { someUs, fullUs };
}

/** Every CPU can stall for interrupts, so that `some` says nothing there; of the CPU the kernel's `full` is always 0. */
const RESOURCES = [
  { resource: 'cpu', some: 'cpuWaiting', full: undefined },
  { resource: 'io', some: 'ioWaiting', full: 'ioStalled' },
  { resource: 'memory', some: 'memoryWaiting', full: 'memoryStalled' },
  { resource: 'irq', some: undefined, full: 'irqStalled' },
] as const;

/** `undefined` where this kernel does not watch the resource. A kernel booted with `psi=0` refuses to open the files. */
function readPressure(proc: Tree, resource: string): Pressure | undefined {
  try {
    const text = optional(() => proc.read(`pressure/${resource}`));
    return text === undefined ? undefined : parsePressure(text);
  } catch (error) {
    if (!hasErrno(error, ['ENOTSUP', 'EOPNOTSUPP'])) throw error;
    throw new NoDataError('pressure is not watched: boot with psi=1', { cause: error });
  }
}

export default defineCollector({
  name: 'pressure',
  help: 'Exposes how long tasks waited for CPU, memory, input and output.',
  enabled: true,
  reads: ['/proc/pressure/{cpu,io,memory,irq}'],
  flags: {},
  metrics: {
    cpuWaiting: counter('node_pressure_cpu_waiting_seconds_total', 'Time that some task waited for a CPU.'),
    ioWaiting: counter('node_pressure_io_waiting_seconds_total', 'Time that some task waited for input or output.'),
    ioStalled: counter(
      'node_pressure_io_stalled_seconds_total',
      'Time that all tasks with work waited for input or output.',
    ),
    memoryWaiting: counter('node_pressure_memory_waiting_seconds_total', 'Time that some task waited for memory.'),
    memoryStalled: counter(
      'node_pressure_memory_stalled_seconds_total',
      'Time that all tasks with work waited for memory.',
    ),
    irqStalled: counter(
      'node_pressure_irq_stalled_seconds_total',
      'Time that all tasks with work waited for interrupts to be served.',
    ),
  },
  setup({ proc }, metrics) {
    return (out) => {
      let found = false;
      for (const { resource, some, full } of RESOURCES) {
        const pressure = readPressure(proc, resource);
        if (pressure === undefined) continue;
        found = true;
        const { someUs, fullUs } = pressure;
        if ((some !== undefined && someUs === undefined) || (full !== undefined && fullUs === undefined))
          throw new NoDataError(`pressure/${resource} lacks a line`);
        if (some !== undefined && someUs !== undefined) out.sample(metrics[some], someUs / 1000 / 1000);
        if (full !== undefined && fullUs !== undefined) out.sample(metrics[full], fullUs / 1000 / 1000);
      }
      if (!found) throw new NoDataError('this kernel does not watch pressure');
    };
  },
});
