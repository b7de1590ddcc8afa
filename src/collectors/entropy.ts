import { defineCollector } from '../core/collector.ts';
import { gauge } from '../core/metric.ts';

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
    const dir = 'sys/kernel/random';
    return [
      proc.lineTable(`${dir}/entropy_avail`, (line, out) => out.sample(metrics.available, line.uint(0))),
      proc.lineTable(`${dir}/poolsize`, (line, out) => out.sample(metrics.size, line.uint(0))),
    ];
  },
});
