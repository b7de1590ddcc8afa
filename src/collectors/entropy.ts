import { defineCollector } from '../core/collector.ts';
import { parsed } from '../core/errors.ts';
import { gauge } from '../core/metric.ts';
import { uint } from '../core/text.ts';

/** https://docs.kernel.org/admin-guide/sysctl/kernel.html#random */
export default defineCollector({
  name: 'entropy',
  help: 'Exposes how much entropy the kernel has gathered for random numbers.',
  enabled: true,
  reads: ['/proc/sys/kernel/random/{entropy_avail,poolsize}'],
  flags: {},
  metrics: {
    available: gauge('node_entropy_available_bits', 'Entropy in the pool.'),
    size: gauge('node_entropy_pool_size_bits', 'How much entropy the pool can hold.'),
  },
  setup({ proc }, metrics) {
    const read = (name: string): number => {
      const text = proc.read(`sys/kernel/random/${name}`).trim();
      return parsed(uint(text), name, text);
    };
    return (out) => {
      out.sample(metrics.available, read('entropy_avail'));
      out.sample(metrics.size, read('poolsize'));
    };
  },
});
