import { defineCollector } from '../core/collector.ts';
import { ParseError } from '../core/errors.ts';
import { gauge } from '../core/metric.ts';
import { fields, float, lines } from '../core/text.ts';

export interface FreeBlocks {
  readonly node: string;
  readonly zone: string;
  /** How many blocks are free, by order: `counts[3]` are those of 2³ pages. */
  readonly counts: readonly number[];
}

/** Parses `/proc/buddyinfo`. https://docs.kernel.org/filesystems/proc.html */
export function parseBuddyinfo(text: string): FreeBlocks[] {
  const zones: FreeBlocks[] = [];
  for (const line of lines(text)) {
    const [, node, , zone, ...columns] = fields(line);
    const counts = columns.map(float).filter((count) => count !== undefined);
    const orders = zones[0]?.counts.length ?? counts.length;
    if (node === undefined || zone === undefined || counts.length !== columns.length || counts.length !== orders)
      throw new ParseError('buddyinfo', line);
    zones.push({ node: node.replace(/,$/, ''), zone: zone.replace(/,$/, ''), counts });
  }
  return zones;
}

export default defineCollector({
  name: 'buddyinfo',
  help: 'Exposes how fragmented free memory is: the free blocks of each size.',
  enabled: false,
  reads: ['/proc/buddyinfo'],
  flags: {},
  metrics: {
    blocks: gauge('node_buddyinfo_blocks', 'Free blocks of 2^size pages.', 'node', 'zone', 'size'),
  },
  setup({ proc }, metrics) {
    return (out) => {
      for (const { node, zone, counts } of parseBuddyinfo(proc.read('buddyinfo')))
        for (const [order, count] of counts.entries()) out.sample(metrics.blocks, count, node, zone, `${order}`);
    };
  },
});
