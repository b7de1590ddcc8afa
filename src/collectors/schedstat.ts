import { noData } from '../core/absent.ts';
import { defineCollector } from '../core/collector.ts';
import { counter } from '../core/metric.ts';
import { NS_OF_SECOND } from '../core/units.ts';
import { cpuOf } from '../parse/cpu_line.ts';

/** The CPUs' lines of `/proc/schedstat`, of any version since 15. https://docs.kernel.org/scheduler/sched-stats.html */
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
    const ifAbsent = noData('this kernel keeps no statistics of the scheduler');
    return proc.lineTable(
      'schedstat',
      (line, out) => {
        const cpu = cpuOf(line);
        if (cpu === undefined) return;
        out.sample(metrics.running, line.uint(7).over(NS_OF_SECOND), cpu);
        out.sample(metrics.waiting, line.uint(8).over(NS_OF_SECOND), cpu);
        out.sample(metrics.timeslices, line.uint(9), cpu);
      },
      { ifAbsent },
    );
  },
});
