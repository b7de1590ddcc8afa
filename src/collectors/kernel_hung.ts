import { noData } from '../core/absent.ts';
import { defineCollector } from '../core/collector.ts';
import { counter } from '../core/metric.ts';

/** https://docs.kernel.org/admin-guide/sysctl/kernel.html#hung-task-detect-count */
export default defineCollector({
  name: 'kernel_hung',
  help: 'Exposes how many tasks the kernel has found hanging.',
  enabled: true,
  reads: ['/proc/sys/kernel/hung_task_detect_count'],
  flags: {},
  metrics: {
    tasks: counter('node_kernel_hung_tasks_total', 'Tasks that the kernel has found hanging since boot.'),
  },
  setup({ proc }, { tasks }) {
    const ifAbsent = noData('this kernel does not count tasks that hang');
    return proc.lineTable('sys/kernel/hung_task_detect_count', (line, out) => out.sample(tasks, line.uint(0)), {
      ifAbsent,
    });
  },
});
