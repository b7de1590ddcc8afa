import { nothing } from '../core/absent.ts';
import { defineCollector } from '../core/collector.ts';
import type { Line } from '../core/host.ts';
import { counter, type Family } from '../core/metric.ts';

const of = (name: string, help: string) => counter(`node_xfs_${name}_total`, help, 'device');

/** What is exposed, by the names of the lines; the counters of a line are in the kernel's order. */
const exposed = {
  extent_alloc: {
    extentsAllocated: of('extent_allocation_extents_allocated', 'Extents allocated.'),
    blocksAllocated: of('extent_allocation_blocks_allocated', 'Blocks allocated.'),
    extentsFreed: of('extent_allocation_extents_freed', 'Extents freed.'),
    blocksFreed: of('extent_allocation_blocks_freed', 'Blocks freed.'),
  },
  abt: {
    allocationLookups: of('allocation_btree_lookups', 'Lookups in the trees of free space.'),
    allocationCompares: of('allocation_btree_compares', 'Comparisons in the trees of free space.'),
    allocationInserted: of('allocation_btree_records_inserted', 'Records added to the trees of free space.'),
    allocationDeleted: of('allocation_btree_records_deleted', 'Records taken from the trees of free space.'),
  },
  blk_map: {
    mapReads: of('block_mapping_reads', 'Block mappings asked for reading.'),
    mapWrites: of('block_mapping_writes', 'Block mappings asked for writing.'),
    mapUnmaps: of('block_mapping_unmaps', 'Block mappings taken away.'),
    mapInsertions: of('block_mapping_extent_list_insertions', 'Extents added to lists of files.'),
    mapDeletions: of('block_mapping_extent_list_deletions', 'Extents taken from lists of files.'),
    mapLookups: of('block_mapping_extent_list_lookups', 'Lookups in the lists of extents.'),
    mapCompares: of('block_mapping_extent_list_compares', 'Comparisons in the lists of extents.'),
  },
  bmbt: {
    bmbtLookups: of('block_map_btree_lookups', 'Lookups in the trees of block maps.'),
    bmbtCompares: of('block_map_btree_compares', 'Comparisons in the trees of block maps.'),
    bmbtInserted: of('block_map_btree_records_inserted', 'Records added to the trees of block maps.'),
    bmbtDeleted: of('block_map_btree_records_deleted', 'Records taken from the trees of block maps.'),
  },
  dir: {
    dirLookups: of('directory_operation_lookup', 'Names looked up in directories.'),
    dirCreates: of('directory_operation_create', 'Names created in directories.'),
    dirRemoves: of('directory_operation_remove', 'Names removed from directories.'),
    dirGetdents: of('directory_operation_getdents', 'Readings of directories.'),
  },
  ig: {
    inodeAttempts: of('inode_operation_attempts', 'Inodes looked for in the cache.'),
    inodeFound: of('inode_operation_found', 'Inodes found in the cache.'),
    inodeRecycled: of('inode_operation_recycled', 'Inodes found while they were about to leave the cache.'),
    inodeMissed: of('inode_operation_missed', 'Inodes not found in the cache.'),
    inodeDuplicates: of('inode_operation_duplicates', 'Inodes that another had put into the cache meanwhile.'),
    inodeReclaims: of('inode_operation_reclaims', 'Inodes put out of the cache.'),
    inodeAttributes: of('inode_operation_attribute_changes', 'Changes of attributes of inodes.'),
  },
  rw: {
    writeCalls: of('write_calls', 'Calls that write.'),
    readCalls: of('read_calls', 'Calls that read.'),
  },
  vnodes: {
    vnodeActive: of('vnode_active', 'Vnodes in use.'),
    vnodeAllocate: of('vnode_allocate', 'Vnodes allocated.'),
    vnodeGet: of('vnode_get', 'Times that a vnode was asked for.'),
    vnodeHold: of('vnode_hold', 'Times that a vnode was held on to.'),
    vnodeRelease: of('vnode_release', 'Times that a vnode was let go.'),
    vnodeReclaim: of('vnode_reclaim', 'Vnodes reclaimed.'),
    vnodeRemove: of('vnode_remove', 'Vnodes removed.'),
  },
} as const;
const LINES: ReadonlyMap<string, readonly Family<readonly ['device']>[]> = new Map(
  Object.entries(exposed).map(([name, counters]) => [name, Object.values(counters)]),
);

/**
 * `/sys/fs/xfs/<device>/stats/stats`: a name on each line, then counters of 32 bits. Most kernels write how many vnodes are
 * free, too. https://xfs.org/index.php/Runtime_Stats
 */
function needCounters(line: Line, name: string, expected: number): void {
  const count = line.length - 1;
  if (count !== expected && (name !== 'vnodes' || count !== expected + 1)) throw line.fault();
}

export default defineCollector({
  name: 'xfs',
  help: 'Exposes what XFS file systems do.',
  enabled: true,
  reads: ['/sys/fs/xfs/<device>/stats/stats'],
  flags: {},
  metrics: {
    ...exposed.extent_alloc,
    ...exposed.abt,
    ...exposed.blk_map,
    ...exposed.bmbt,
    ...exposed.dir,
    ...exposed.ig,
    ...exposed.rw,
    ...exposed.vnodes,
  },
  setup({ sys }) {
    return sys.devices(
      'fs/xfs',
      /./,
      (device, out) => {
        const lines = device.lines('stats/stats');
        if (lines === undefined) return;
        const missing = new Set(LINES.keys());
        lines.each((line) => {
          const name = line.find(0) ?? '';
          const families = LINES.get(name);
          if (families === undefined) return;
          missing.delete(name);
          needCounters(line, name, families.length);
          for (const [i, family] of families.entries()) out.sample(family, line.uint(i + 1), device.id);
        });
        // What an old kernel does not count has not happened.
        for (const name of missing) for (const family of LINES.get(name) ?? []) out.sample(family, 0, device.id);
      },
      { ifAbsent: nothing },
    );
  },
});
