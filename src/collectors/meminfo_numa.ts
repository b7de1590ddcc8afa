import { defineCollector } from '../core/collector.ts';
import { optional, ParseError } from '../core/errors.ts';
import { dynamic } from '../core/metric.ts';
import { fields, float, lines } from '../core/text.ts';

export interface NodeMemory {
  readonly node: string;
  /** As it stands in the metric's name: `Active_anon`. */
  readonly key: string;
  /** Bytes, or pages where the kernel gives no unit. */
  readonly value: number;
}

/** Parses a node's `meminfo`: `Node 0 Active(anon): 1568 kB`. https://docs.kernel.org/admin-guide/mm/numaperf.html */
export function parseNodeMeminfo(text: string): NodeMemory[] {
  const all: NodeMemory[] = [];
  for (const line of lines(text)) {
    const columns = fields(line);
    if (columns.length === 0) continue;
    const [, node, name, number, unit] = columns;
    const value = float(number);
    if (node === undefined || name === undefined || value === undefined || columns.length > 5)
      throw new ParseError('meminfo', line);
    if (unit !== undefined && unit !== 'kB') throw new ParseError('meminfo', line);
    const key = name.replace(/:+$/, '').replace(/\((.*)\)/, '_$1');
    all.push({ node, key, value: unit === undefined ? value : value * 1024 });
  }
  return all;
}

/** Parses a node's `numastat`: `numa_hit 3836690`. https://docs.kernel.org/admin-guide/numastat.html */
export function parseNumastat(text: string): [key: string, count: number][] {
  const all: [string, number][] = [];
  for (const line of lines(text)) {
    const columns = fields(line);
    if (columns.length === 0) continue;
    const [key, number] = columns;
    const count = float(number);
    if (key === undefined || count === undefined || columns.length > 2) throw new ParseError('numastat', line);
    all.push([key, count]);
  }
  return all;
}

const NODES = 'devices/system/node';

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
    return (out) => {
      for (const name of optional(() => sys.list(NODES)) ?? []) {
        if (!/^node[0-9]/.test(name)) continue;
        for (const { node, key, value } of parseNodeMeminfo(sys.readOnce(`${NODES}/${name}/meminfo`)))
          out.sample(metrics.memory.of(key), value, node);
        const number = /[0-9]+/.exec(name)?.[0] ?? '';
        for (const [key, count] of parseNumastat(sys.readOnce(`${NODES}/${name}/numastat`)))
          out.sample(metrics.allocations.of(key), count, number);
      }
    };
  },
});
