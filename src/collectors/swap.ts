import { defineCollector } from '../core/collector.ts';
import { gauge } from '../core/metric.ts';
import { BYTES_OF_KIB } from '../core/units.ts';

export default defineCollector({
  name: 'swap',
  help: 'Exposes the size and use of each swap area.',
  enabled: false,
  reads: ['/proc/swaps'],
  flags: {},
  metrics: {
    size: gauge('node_swap_size_bytes', 'Size of the swap area.', 'device', 'swap_type'),
    used: gauge('node_swap_used_bytes', 'How much of the swap area is in use.', 'device', 'swap_type'),
    priority: gauge(
      'node_swap_priority',
      'Priority of the swap area; the highest is filled first.',
      'device',
      'swap_type',
    ),
  },
  /** A heading, then a line for each area; a blank in a device's path is `\040`. https://docs.kernel.org/filesystems/proc.html */
  setup({ proc }, metrics) {
    return proc.table('swaps', (lines, out) =>
      lines.each((line, row) => {
        if (row === 0) return;
        const [device, type] = [line.word(0), line.word(1)];
        out.sample(metrics.size, line.uint(2).times(BYTES_OF_KIB), device, type);
        out.sample(metrics.used, line.uint(3).times(BYTES_OF_KIB), device, type);
        out.sample(metrics.priority, line.number(4), device, type);
      }),
    );
  },
});
