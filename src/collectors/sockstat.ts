import { nothing } from '../core/absent.ts';
import { defineCollector } from '../core/collector.ts';
import type { Layout, Line } from '../core/host.ts';
import { dynamic, gauge } from '../core/metric.ts';
import type { Reading } from '../core/reading.ts';

/** What is written of each protocol that has it. */
const KEYS = ['orphan', 'tw', 'alloc', 'mem', 'memory'] as const;

const KNOWN = /^(sockets|(TCP|UDP|UDPLITE|RAW|FRAG)6?)$/;

/** What a line counts, by the kernel's names. */
function countsOf(line: Line): Map<string, Reading> {
  const counts = new Map<string, Reading>();
  if (line.length < 3 || line.length % 2 !== 1) throw line.fault();
  for (let i = 1; i < line.length; i += 2) counts.set(line.word(i), line.auto(i + 1));
  return counts;
}

/**
 * `/proc/net/sockstat` and `/proc/net/sockstat6`: a protocol on each line; `mem` is in pages, `memory` in bytes.
 * https://docs.kernel.org/filesystems/proc.html
 */
export default defineCollector({
  name: 'sockstat',
  help: 'Exposes how many sockets there are and what memory they use.',
  enabled: true,
  reads: ['/proc/net/sockstat', '/proc/net/sockstat6'],
  flags: {},
  metrics: {
    used: gauge('node_sockstat_sockets_used', 'Sockets of every kind.'),
    inuse: dynamic.gauge('node_sockstat_<protocol>_inuse', 'Sockets of <protocol> in use.'),
    orphan: dynamic.gauge('node_sockstat_<protocol>_orphan', 'Sockets of <protocol> that no process holds any more.'),
    tw: dynamic.gauge('node_sockstat_<protocol>_tw', 'Sockets of <protocol> that wait after their end (TIME-WAIT).'),
    alloc: dynamic.gauge('node_sockstat_<protocol>_alloc', 'Sockets of <protocol> allocated.'),
    mem: dynamic.gauge('node_sockstat_<protocol>_mem', 'Memory that buffers of <protocol> use, in pages.'),
    memory: dynamic.gauge('node_sockstat_<protocol>_memory', 'Memory that <protocol> uses, in bytes.'),
    memBytes: dynamic.gauge('node_sockstat_<protocol>_mem_bytes', 'Memory that buffers of <protocol> use, in bytes.'),
  },
  setup({ proc, system: { pageSizeBytes } }, metrics) {
    const layout: Layout = (lines, out) =>
      lines.each((line) => {
        const label = line.word(0);
        const [protocol = ''] = label.split(':');
        // A protocol that is new to us may count in ways of its own.
        if (!KNOWN.test(protocol) && (line.length < 3 || line.length % 2 !== 1)) return out.passedOver(label);
        if (label !== `${protocol}:`) throw line.fault();
        const counts = countsOf(line);
        if (protocol === 'sockets') return out.sample(metrics.used, counts.get('used'));
        out.sample(metrics.inuse.of(protocol), counts.get('inuse') ?? 0);
        for (const key of KEYS) out.sample(metrics[key].of(protocol), counts.get(key));
        if (pageSizeBytes !== undefined)
          out.sample(metrics.memBytes.of(protocol), counts.get('mem')?.times(pageSizeBytes));
      });
    return [
      proc.table('net/sockstat', layout, { ifAbsent: nothing }),
      proc.table('net/sockstat6', layout, { ifAbsent: nothing }),
    ];
  },
});
