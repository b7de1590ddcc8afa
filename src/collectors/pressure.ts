import { refusalOf } from '../core/absent.ts';
import { defineCollector } from '../core/collector.ts';
import { NoDataError } from '../core/errors.ts';
import type { Collect, KernelFile, Line } from '../core/host.ts';
import { counter } from '../core/metric.ts';
import type { Reading } from '../core/reading.ts';
import { MS_OF_SECOND, US_OF_MS } from '../core/units.ts';

/** Every CPU can stall for interrupts, so that `some` says nothing there; of the CPU the kernel's `full` is always 0. */
const RESOURCES = [
  { resource: 'cpu', some: 'cpuWaiting', full: undefined },
  { resource: 'io', some: 'ioWaiting', full: 'ioStalled' },
  { resource: 'memory', some: 'memoryWaiting', full: 'memoryStalled' },
  { resource: 'irq', some: undefined, full: 'irqStalled' },
] as const;

/** The total of a line in seconds: `some avg10=0.00 avg60=0.00 avg300=0.00 total=12`. The kernel counts microseconds; two steps round as the reference does. */
function totalOf(line: Line): Reading {
  return line
    .uint(line.length - 1, 'total=')
    .over(US_OF_MS)
    .over(MS_OF_SECOND);
}

/** https://docs.kernel.org/accounting/psi.html */
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
    let found = 0;
    const files = RESOURCES.map(({ resource }) => proc.file(`pressure/${resource}`));
    /** What is asked last says whether the kernel watches anything at all. */
    const conclude = (): void => {
      const some = found;
      found = 0;
      if (some === 0)
        throw refusalOf(files) ?? new NoDataError('this kernel does not watch pressure, or was booted with psi=0');
    };
    const parts = RESOURCES.map(({ resource, some, full }, i): Collect => {
      const table = proc.lineTable(`pressure/${resource}`, (line, out) => {
        const kind = line.find(0);
        if (kind === 'some' && some !== undefined) out.sample(metrics[some], totalOf(line));
        if (kind === 'full' && full !== undefined) out.sample(metrics[full], totalOf(line));
      });
      const file = files[i] as KernelFile;
      // Where the kernel does not account a resource, as interrupts on some, it refuses to open that file alone.
      return (out, turn) => {
        if (!file.tryRead(out)) return undefined;
        found += 1;
        return table(out, turn);
      };
    });
    return [...parts, conclude];
  },
});
