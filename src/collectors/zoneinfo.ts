import { defineCollector } from '../core/collector.ts';
import { ParseError } from '../core/errors.ts';
import type { Line } from '../core/host.ts';
import { counter, dynamic, gauge } from '../core/metric.ts';
import { uint } from '../core/text.ts';

const pages = (name: string, help: string) => gauge(`node_zoneinfo_${name}`, help, 'node', 'zone');
const count = (name: string, help: string) => counter(`node_zoneinfo_${name}_total`, help, 'node', 'zone');

/** By the kernel's name. What is kept for a whole node stands in its first zone. */
const fields = {
  nr_free_pages: pages('nr_free_pages', 'Free pages in the zone.'),
  min: pages('min_pages', 'Watermark below which allocations must reclaim by themselves.'),
  low: pages('low_pages', 'Watermark below which kswapd wakes.'),
  high: pages('high_pages', 'Watermark above which kswapd sleeps.'),
  scanned: pages('scanned_pages', 'Pages scanned since pages were last freed.'),
  spanned: pages('spanned_pages', 'Pages that the zone spans, holes included.'),
  present: pages('present_pages', 'Pages that are there in the zone.'),
  managed: pages('managed_pages', 'Pages that the allocator manages.'),
  nr_active_anon: pages('nr_active_anon_pages', 'Anonymous pages used lately.'),
  nr_inactive_anon: pages('nr_inactive_anon_pages', 'Anonymous pages not used lately.'),
  nr_isolated_anon: pages('nr_isolated_anon_pages', 'Anonymous pages taken off the lists for a moment.'),
  nr_anon_pages: pages('nr_anon_pages', 'Anonymous pages that are mapped.'),
  nr_anon_transparent_hugepages: pages('nr_anon_transparent_hugepages', 'Transparent huge pages of anonymous memory.'),
  nr_active_file: pages('nr_active_file_pages', 'Page-cache pages used lately.'),
  nr_inactive_file: pages('nr_inactive_file_pages', 'Page-cache pages not used lately.'),
  nr_isolated_file: pages('nr_isolated_file_pages', 'Page-cache pages taken off the lists for a moment.'),
  nr_file_pages: pages('nr_file_pages', 'Page-cache pages.'),
  nr_slab_reclaimable: pages('nr_slab_reclaimable_pages', 'Slab pages that can be reclaimed.'),
  nr_slab_unreclaimable: pages('nr_slab_unreclaimable_pages', 'Slab pages that cannot be reclaimed.'),
  nr_mlock_stack: pages('nr_mlock_stack_pages', 'Pages of stacks that are locked into memory.'),
  nr_kernel_stack: pages('nr_kernel_stacks', 'Kernel stacks, in KiB since Linux 4.10.'),
  nr_mapped: pages('nr_mapped_pages', 'Page-cache pages mapped into page tables.'),
  nr_dirty: pages('nr_dirty_pages', 'Pages to be written back.'),
  nr_writeback: pages('nr_writeback_pages', 'Pages being written back.'),
  nr_unevictable: pages('nr_unevictable_pages', 'Pages that cannot be evicted.'),
  nr_shmem: pages('nr_shmem_pages', 'Pages of shared memory and tmpfs.'),
  nr_dirtied: count('nr_dirtied', 'Pages made dirty since boot.'),
  nr_written: count('nr_written', 'Pages written back since boot.'),
  numa_hit: count('numa_hit', 'Pages allocated in the node that was meant.'),
  numa_miss: count('numa_miss', 'Pages allocated here though another node was meant.'),
  numa_foreign: count('numa_foreign', 'Pages meant for here and allocated in another node.'),
  numa_interleave: count('numa_interleave', 'Pages of an interleave policy allocated in the node that was meant.'),
  numa_local: count('numa_local', 'Pages allocated for a process that ran on this node.'),
  numa_other: count('numa_other', 'Pages allocated for a process that ran on another node.'),
} as const;

type Zone = readonly [node: string, zone: string];

/** `Node 0, zone   Normal` */
function zoneOf(line: Line): Zone {
  const [, node] = /^(\d+),$/.exec(line.word(1)) ?? [];
  if (node === undefined || line.word(2) !== 'zone') throw line.fault();
  return [node, line.word(3)];
}

/** `protection: (0, 3019, 4939)`, which is another only when memory or a sysctl is. */
function protectionOf(line: Line): number[] {
  const [, list] = /^\(([\d, ]+)\)$/.exec(line.rest(1)) ?? [];
  const numbers = list?.split(',').map((text) => uint(text.trim())) ?? [undefined];
  if (numbers.includes(undefined)) throw line.fault();
  return numbers as number[];
}

export default defineCollector({
  name: 'zoneinfo',
  help: 'Exposes the memory zones of each node.',
  enabled: false,
  reads: ['/proc/zoneinfo'],
  flags: {},
  metrics: {
    ...fields,
    protection: dynamic.gauge(
      'node_zoneinfo_protection_<i>',
      'Pages kept from allocations that zone <i> could serve too.',
      'node',
      'zone',
    ),
  },
  /** A heading for each zone, then names and numbers. https://docs.kernel.org/admin-guide/sysctl/vm.html */
  setup({ proc }, metrics) {
    const families = new Map(Object.entries(fields));
    return proc.table('zoneinfo', (lines, out) => {
      let zone: Zone | undefined;
      let zones = 0;
      lines.each((line) => {
        const name = line.find(0) ?? '';
        if (name === 'Node') {
          // What stands below a heading that is odd belongs to no zone that we know.
          zone = undefined;
          zones += 1;
          zone = zoneOf(line);
        }
        // `high:` of a CPU's page set is not `high` of the zone.
        const family = families.get(name);
        if (zone === undefined || (family === undefined && name !== 'protection:')) return;
        if (family === undefined) {
          for (const [i, value] of protectionOf(line).entries())
            out.sample(metrics.protection.of(`${i}`), value, ...zone);
          return;
        }
        if (line.length !== 2) throw line.fault();
        out.sample(family, line.auto(1), ...zone);
      });
      if (zones === 0) throw new ParseError('zoneinfo', lines.at(0)?.rest(0) ?? '');
    });
  },
});
