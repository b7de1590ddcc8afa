import { nothing } from '../core/absent.ts';
import { defineCollector } from '../core/collector.ts';
import type { Line } from '../core/host.ts';
import { dynamic } from '../core/metric.ts';
import type { Reading } from '../core/reading.ts';
import { BYTES_OF_KIB } from '../core/units.ts';

/**
 * The value in a node's `meminfo`, `Node 0 Active(anon): 1568 kB`: bytes, or pages where the kernel gives no unit. A number of
 * eight digits may touch its name.
 */
function quantityOf(line: Line, name: string): Reading {
  const isTouching = name !== line.word(2);
  const column = isTouching ? 2 : 3;
  const value = line.number(column, isTouching ? name : '');
  const unit = line.find(column + 1);
  if (line.length > column + 2 || (unit !== undefined && unit !== 'kB')) throw line.fault();
  return unit === undefined ? value : value.times(BYTES_OF_KIB);
}

/** As it stands in the metric's name: `Active_anon`. */
const keyOf = (name: string): string => name.replace(/:+$/, '').replace(/\((.*)\)/, '_$1');

/** https://docs.kernel.org/admin-guide/mm/numaperf.html and https://docs.kernel.org/admin-guide/numastat.html */
export default defineCollector({
  name: 'meminfo_numa',
  help: 'Exposes the memory of each NUMA node.',
  enabled: false,
  reads: ['/sys/devices/system/node/node<number>/meminfo', '/sys/devices/system/node/node<number>/numastat'],
  flags: {},
  metrics: {
    memory: dynamic.gauge('node_memory_numa_<field>', "The field <field> of the NUMA node's meminfo.", 'node'),
    allocations: dynamic.counter('node_memory_numa_<field>_total', "The field <field> of the node's numastat.", 'node'),
  },
  setup({ sys }, metrics) {
    return sys.devices(
      'devices/system/node',
      /^node[0-9]/,
      ({ id, lines }, out) => {
        lines('meminfo')?.each((line) => {
          if (line.find(0) === undefined) return;
          const [node, name] = [line.word(1), line.upTo(2, ':') ?? line.word(2)];
          out.sample(metrics.memory.of(keyOf(name)), quantityOf(line, name), node);
        });
        const number = /[0-9]+/.exec(id)?.[0] ?? '';
        lines('numastat')?.each((line) => {
          const key = line.find(0);
          if (line.length > 2) throw line.fault();
          if (key !== undefined) out.sample(metrics.allocations.of(key), line.number(1), number);
        });
      },
      { ifAbsent: nothing },
    );
  },
});
