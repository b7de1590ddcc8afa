import { defineCollector } from '../core/collector.ts';
import { NoDataError, optional, parsed } from '../core/errors.ts';
import { counter } from '../core/metric.ts';
import { uint } from '../core/text.ts';

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
    return (out) => {
      const text = optional(() => proc.read('sys/kernel/hung_task_detect_count').trim());
      if (text === undefined) throw new NoDataError('this kernel does not count tasks that hang');
      out.sample(tasks, parsed(uint(text), 'hung_task_detect_count', text));
    };
  },
});
