import { defineCollector } from '../core/collector.ts';
import { gauge } from '../core/metric.ts';

/** Of `Node 0, zone      DMA      1      0 …`: where the counts of free blocks begin, by order. */
const COUNTS_COLUMN = 4;

const withoutComma = (word: string): string => word.replace(/,$/, '');

/** https://docs.kernel.org/filesystems/proc.html */
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
    return proc.lineTable('buddyinfo', (line, out) => {
      if (line.length <= COUNTS_COLUMN) throw line.fault();
      const [node, zone] = [withoutComma(line.word(1)), withoutComma(line.word(3))];
      for (let order = 0; order < line.length - COUNTS_COLUMN; order += 1)
        out.sample(metrics.blocks, line.number(order + COUNTS_COLUMN), node, zone, String(order));
    });
  },
});
