import { defineCollector } from '../core/collector.ts';
import { optional, ParseError } from '../core/errors.ts';
import { counter } from '../core/metric.ts';
import { fields, lines, uint } from '../core/text.ts';
import { eachDevice } from '../kernel/devices.ts';

const U32_MAX = 2 ** 32 - 1;

/** The lines that are told, with the numbers of counters that they may have. All are 32 bit. */
const LENGTHS: Readonly<Record<string, readonly number[]>> = {
  extent_alloc: [4],
  abt: [4],
  blk_map: [7],
  bmbt: [4],
  dir: [4],
  ig: [7],
  rw: [2],
  vnodes: [7, 8],
};

export type XfsStats = Readonly<Record<string, readonly number[]>>;

/** Parses `/sys/fs/xfs/<device>/stats/stats`; lines of other names are left out. https://xfs.org/index.php/Runtime_Stats */
export function parseXfsStats(text: string): XfsStats {
  const stats: Record<string, number[]> = {};
  for (const line of lines(text)) {
    const [name = '', ...words] = fields(line);
    const lengths = Object.hasOwn(LENGTHS, name) ? LENGTHS[name] : undefined;
    if (lengths === undefined) continue;
    const values = words.map((word) => uint(word) ?? Number.POSITIVE_INFINITY);
    if (!lengths.includes(values.length) || values.some((value) => value > U32_MAX)) throw new ParseError('xfs', line);
    stats[name] = values;
  }
  return stats;
}

const of = (name: string, help: string) => counter(`node_xfs_${name}_total`, help, 'device');

export default defineCollector({
  name: 'xfs',
  help: 'Exposes what XFS file systems do.',
  enabled: true,
  reads: ['/sys/fs/xfs/<device>/stats/stats'],
  flags: {},
  metrics: {
    extentsAllocated: of('extent_allocation_extents_allocated', 'Extents allocated.'),
    blocksAllocated: of('extent_allocation_blocks_allocated', 'Blocks allocated.'),
    extentsFreed: of('extent_allocation_extents_freed', 'Extents freed.'),
    blocksFreed: of('extent_allocation_blocks_freed', 'Blocks freed.'),
    allocationLookups: of('allocation_btree_lookups', 'Lookups in the trees of free space.'),
    allocationCompares: of('allocation_btree_compares', 'Comparisons in the trees of free space.'),
    allocationInserted: of('allocation_btree_records_inserted', 'Records added to the trees of free space.'),
    allocationDeleted: of('allocation_btree_records_deleted', 'Records taken from the trees of free space.'),
    mapReads: of('block_mapping_reads', 'Block mappings asked for reading.'),
    mapWrites: of('block_mapping_writes', 'Block mappings asked for writing.'),
    mapUnmaps: of('block_mapping_unmaps', 'Block mappings taken away.'),
    mapInsertions: of('block_mapping_extent_list_insertions', 'Extents added to lists of files.'),
    mapDeletions: of('block_mapping_extent_list_deletions', 'Extents taken from lists of files.'),
    mapLookups: of('block_mapping_extent_list_lookups', 'Lookups in the lists of extents.'),
    mapCompares: of('block_mapping_extent_list_compares', 'Comparisons in the lists of extents.'),
    bmbtLookups: of('block_map_btree_lookups', 'Lookups in the trees of block maps.'),
    bmbtCompares: of('block_map_btree_compares', 'Comparisons in the trees of block maps.'),
    bmbtInserted: of('block_map_btree_records_inserted', 'Records added to the trees of block maps.'),
    bmbtDeleted: of('block_map_btree_records_deleted', 'Records taken from the trees of block maps.'),
    dirLookups: of('directory_operation_lookup', 'Names looked up in directories.'),
    dirCreates: of('directory_operation_create', 'Names created in directories.'),
    dirRemoves: of('directory_operation_remove', 'Names removed from directories.'),
    dirGetdents: of('directory_operation_getdents', 'Readings of directories.'),
    inodeAttempts: of('inode_operation_attempts', 'Inodes looked for in the cache.'),
    inodeFound: of('inode_operation_found', 'Inodes found in the cache.'),
    inodeRecycled: of('inode_operation_recycled', 'Inodes found while they were about to leave the cache.'),
    inodeMissed: of('inode_operation_missed', 'Inodes not found in the cache.'),
    inodeDuplicates: of('inode_operation_duplicates', 'Inodes that another had put into the cache meanwhile.'),
    inodeReclaims: of('inode_operation_reclaims', 'Inodes put out of the cache.'),
    inodeAttributes: of('inode_operation_attribute_changes', 'Changes of attributes of inodes.'),
    readCalls: of('read_calls', 'Calls that read.'),
    writeCalls: of('write_calls', 'Calls that write.'),
    vnodeActive: of('vnode_active', 'Vnodes in use.'),
    vnodeAllocate: of('vnode_allocate', 'Vnodes allocated.'),
    vnodeGet: of('vnode_get', 'Times that a vnode was asked for.'),
    vnodeHold: of('vnode_hold', 'Times that a vnode was held on to.'),
    vnodeRelease: of('vnode_release', 'Times that a vnode was let go.'),
    vnodeReclaim: of('vnode_reclaim', 'Vnodes reclaimed.'),
    vnodeRemove: of('vnode_remove', 'Vnodes removed.'),
  },
  setup({ sys }, m) {
    const columns = {
      extent_alloc: [m.extentsAllocated, m.blocksAllocated, m.extentsFreed, m.blocksFreed],
      abt: [m.allocationLookups, m.allocationCompares, m.allocationInserted, m.allocationDeleted],
      blk_map: [
        ...[m.mapReads, m.mapWrites, m.mapUnmaps, m.mapInsertions],
        ...[m.mapDeletions, m.mapLookups, m.mapCompares],
      ],
      bmbt: [m.bmbtLookups, m.bmbtCompares, m.bmbtInserted, m.bmbtDeleted],
      dir: [m.dirLookups, m.dirCreates, m.dirRemoves, m.dirGetdents],
      ig: [
        ...[m.inodeAttempts, m.inodeFound, m.inodeRecycled, m.inodeMissed],
        ...[m.inodeDuplicates, m.inodeReclaims, m.inodeAttributes],
      ],
      // The kernel writes the calls that write first.
      rw: [m.writeCalls, m.readCalls],
      vnodes: [
        ...[m.vnodeActive, m.vnodeAllocate, m.vnodeGet, m.vnodeHold],
        ...[m.vnodeRelease, m.vnodeReclaim, m.vnodeRemove],
      ],
    };
    return (out, turn) =>
      eachDevice(optional(() => sys.list('fs/xfs')) ?? [], turn, (device) => {
        const text = optional(() => sys.readOnce(`fs/xfs/${device}/stats/stats`));
        if (text === undefined) return;
        const stats = parseXfsStats(text);
        for (const [line, metrics] of Object.entries(columns))
          for (const [i, metric] of metrics.entries()) out.sample(metric, stats[line]?.[i] ?? 0, device);
      });
  },
});
