import { defineCollector } from '../core/collector.ts';
import { NoDataError, optional, parsed } from '../core/errors.ts';
import { counter } from '../core/metric.ts';
import { fields, lines, uint } from '../core/text.ts';

export interface CpuSchedule {
  readonly cpu: string;
  readonly runningNs: number;
  readonly waitingNs: number;
  readonly timeslices: number;
}

/** Parses the CPUs' lines of `/proc/schedstat`, of any version since 15. https://docs.kernel.org/scheduler/sched-stats.html */
export function parseSchedstat(text: string): CpuSchedule[] {
  const all: CpuSchedule[] = [];
  for (const line of lines(text)) {
    if (!/^cpu[0-9]/.test(line)) continue;
    const [name = '', ...columns] = fields(line);
    const number = (text: string | undefined): number => parsed(uint(text), 'schedstat', line);
    all.push({
      cpu: String(number(name.slice('cpu'.length))),
      runningNs: number(columns[6]),
      waitingNs: number(columns[7]),
      timeslices: number(columns[8]),
    });
  }
  return all;
}

export default defineCollector({
  name: 'schedstat',
  help: 'Exposes how long tasks ran on each CPU and waited for it.',
  enabled: true,
  reads: ['/proc/schedstat'],
  flags: {},
  metrics: {
    running: counter('node_schedstat_running_seconds_total', 'Time that tasks ran on the CPU.', 'cpu'),
    waiting: counter('node_schedstat_waiting_seconds_total', 'Time that tasks waited for the CPU.', 'cpu'),
    timeslices: counter('node_schedstat_timeslices_total', 'Time slices that tasks ran for on the CPU.', 'cpu'),
  },
  setup({ proc }, metrics) {
    return (out) => {
      const text = optional(() => proc.read('schedstat'));
      if (text === undefined) throw new NoDataError('this kernel keeps no statistics of the scheduler');
      for (const { cpu, runningNs, waitingNs, timeslices } of parseSchedstat(text)) {
        out.sample(metrics.running, runningNs / 1e9, cpu);
        out.sample(metrics.waiting, waitingNs / 1e9, cpu);
        out.sample(metrics.timeslices, timeslices, cpu);
      }
    };
  },
});
