import { defineCollector } from '../core/collector.ts';
import { messageOf, optional, ParseError } from '../core/errors.ts';
import type { Logger } from '../core/log.ts';
import { dynamic, gauge } from '../core/metric.ts';
import { autoInt, fields, lines } from '../core/text.ts';
import { pageSizeBytes } from '../parse/auxv.ts';

/** One line of a socket statistics file: `sockets`, or a protocol such as `TCP6`, with what it counts. */
export interface SocketStatistics {
  readonly protocol: string;
  readonly counts: ReadonlyMap<string, number>;
}

/** What is told of each protocol that has it. */
const KEYS = ['orphan', 'tw', 'alloc', 'mem', 'memory'] as const;

/**
 * Parses `/proc/net/sockstat` and `/proc/net/sockstat6`; `mem` is in pages, `memory` in bytes.
 * https://docs.kernel.org/filesystems/proc.html
 */
export function parseSockstat(file: string, text: string): SocketStatistics[] {
  return lines(text).map((line) => {
    const [label = '', ...pairs] = fields(line);
    if (!label.endsWith(':') || pairs.length === 0 || pairs.length % 2 !== 0) throw new ParseError(file, line);
    const counts = new Map<string, number>();
    for (let i = 0; i < pairs.length; i += 2) {
      const value = autoInt(pairs[i + 1]);
      if (value === undefined) throw new ParseError(file, line);
      counts.set(pairs[i] as string, value);
    }
    return { protocol: label.slice(0, -1), counts };
  });
}

function knownPageSize(log: Logger): number | undefined {
  try {
    return pageSizeBytes();
  } catch (error) {
    log.warn('the page size is not known: socket memory is told in pages only', { err: messageOf(error) });
    return undefined;
  }
}

export default defineCollector({
  name: 'sockstat',
  help: 'Exposes how many sockets there are and what memory they use.',
  enabled: true,
  reads: ['/proc/net/sockstat', '/proc/net/sockstat6', '/proc/self/auxv'],
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
  setup({ proc, log }, metrics) {
    const pageSize = knownPageSize(log);
    return (out) => {
      for (const file of ['net/sockstat', 'net/sockstat6']) {
        const text = optional(() => proc.read(file));
        if (text === undefined) continue;
        for (const { protocol, counts } of parseSockstat(file, text)) {
          const used = counts.get('used');
          if (protocol === 'sockets') {
            if (used !== undefined) out.sample(metrics.used, used);
            continue;
          }
          out.sample(metrics.inuse.of(protocol), counts.get('inuse') ?? 0);
          for (const key of KEYS) {
            const value = counts.get(key);
            if (value !== undefined) out.sample(metrics[key].of(protocol), value);
          }
          const pages = counts.get('mem');
          if (pages !== undefined && pageSize !== undefined)
            out.sample(metrics.memBytes.of(protocol), pages * pageSize);
        }
      }
    };
  },
});
