import { defineCollector } from '../core/collector.ts';
import { parsed } from '../core/errors.ts';
import { gauge } from '../core/metric.ts';
import { fields, int, lines } from '../core/text.ts';

export interface SwapArea {
  /** As the kernel writes it: a blank is `\040`. */
  readonly device: string;
  /** `partition` or `file` */
  readonly type: string;
  readonly sizeKib: number;
  readonly usedKib: number;
  readonly priority: number;
}

/** Parses `/proc/swaps`. https://docs.kernel.org/filesystems/proc.html */
export function parseSwaps(text: string): SwapArea[] {
  return lines(text)
    .slice(1)
    .map((line) => {
      const [device = '', type = '', ...columns] = fields(line);
      const number = (column: string | undefined): number => parsed(int(column), 'swaps', line);
      return {
        device: device,
        type,
        sizeKib: number(columns[0]),
        usedKib: number(columns[1]),
        priority: number(columns[2]),
      };
    });
}

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
  setup({ proc }, metrics) {
    return (out) => {
      for (const { device, type, sizeKib, usedKib, priority } of parseSwaps(proc.read('swaps'))) {
        out.sample(metrics.size, sizeKib * 1024, device, type);
        out.sample(metrics.used, usedKib * 1024, device, type);
        out.sample(metrics.priority, priority, device, type);
      }
    };
  },
});
