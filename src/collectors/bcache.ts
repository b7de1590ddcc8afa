import { nothing } from '../core/absent.ts';
import { defineCollector } from '../core/collector.ts';
import { flag } from '../core/flag.ts';
import type { Device, Lines, Take } from '../core/host.ts';
import { counter, type Family, gauge } from '../core/metric.ts';
import { NS_OF_SECOND } from '../core/units.ts';
import type { LayoutWriter } from '../core/writer.ts';

const [MINUS, POINT, ZERO, BLANK] = [45, 46, 48, 32] as const;
const UNITS = Buffer.from('kMGTPEZY');
/** What may stand behind a number. */
const AFTER = ['/sec', '%'].map((text) => Buffer.from(text));

const isDigit = (byte: number | undefined): byte is number => byte !== undefined && byte >= ZERO && byte < ZERO + 10;

/**
 * Takes a number as bcache writes it: plain, or of units of powers of 1024 with a fraction that counts tenths of 1024ths:
 * `1.10k` is 1 + 10 / 10.24 units. Whole numbers are what is meant, so the rest is cut off.
 * drivers/md/bcache/util.c, https://docs.kernel.org/admin-guide/bcache.html
 */
export const takeSize: Take = (bytes, start, end, into, place) => {
  const first = bytes[start] === MINUS ? start + 1 : start;
  let [whole, rest, at] = [0, 0, first];
  for (; at < end && isDigit(bytes[at]); at += 1) whole = whole * 10 + (bytes[at] as number) - ZERO;
  if (at === first) return -1;
  if (at < end && bytes[at] === POINT) {
    at += 1;
    if (!isDigit(bytes[at])) return -1;
    for (; at < end && isDigit(bytes[at]); at += 1) rest = rest * 10 + (bytes[at] as number) - ZERO;
  }
  const power = at < end ? UNITS.indexOf(bytes[at] as number) + 1 : 0;
  if (power > 0) at += 1;
  const after = AFTER.find((text) => bytes.compare(text, 0, text.length, at, Math.min(at + text.length, end)) === 0);
  at += after?.length ?? 0;
  if (at < end && (bytes[at] as number) > BLANK) return -1;
  const value = power === 0 ? whole : Math.trunc((whole + rest / 10.24) * 1024 ** power);
  into[place] = first === start ? value : -value;
  return at;
};

type OfDevice = Family<readonly ['uuid', 'backing_device']> | Family<readonly ['uuid', 'cache_device']>;

/** Writes numbers of a file of lines such as `dirty:\t\t20.4G`; 0 where this kernel's file has no such line. */
function writePairs(
  lines: Lines | undefined,
  families: ReadonlyMap<string, OfDevice>,
  labels: readonly [uuid: string, device: string],
  out: LayoutWriter,
): void {
  const missing = new Map(lines === undefined ? [] : families);
  lines?.each((line) => {
    const key = line.upTo(0, ':') ?? '';
    const family = families.get(key);
    if (family === undefined) return;
    missing.delete(key);
    out.row(family, line.taken(1, takeSize), labels);
  });
  for (const family of missing.values()) out.row(family, 0, labels);
}

const backed = (name: string, help: string) => counter(name, help, 'uuid', 'backing_device');
const backedLevel = (name: string, help: string) => gauge(name, help, 'uuid', 'backing_device');
const cached = (name: string, help: string) => gauge(name, help, 'uuid', 'cache_device');

export default defineCollector({
  name: 'bcache',
  help: 'Exposes bcache: the caches, what they hold, and the devices behind them.',
  enabled: true,
  reads: [
    '/sys/fs/bcache/<uuid>/*',
    '/sys/fs/bcache/<uuid>/<backing>/*',
    '/sys/fs/bcache/<uuid>/<backing>/stats_total/*',
    '/sys/fs/bcache/<uuid>/<cache>/*',
  ],
  flags: {
    priorityStats: flag.bool(
      'collector.bcache.priorityStats',
      "Expose the caches' priority statistics, which are costly for the kernel to make.",
    ),
  },
  metrics: {
    keySize: gauge('node_bcache_average_key_size_sectors', 'Mean sectors of a key of the B-tree.', 'uuid'),
    btreeCacheSize: gauge('node_bcache_btree_cache_size_bytes', 'Memory that the B-tree takes.', 'uuid'),
    available: gauge('node_bcache_cache_available_percent', 'Share of the cache without dirty data.', 'uuid'),
    congested: gauge('node_bcache_congested', 'How congested the cache is.', 'uuid'),
    rootUsage: gauge('node_bcache_root_usage_percent', "Share of the B-tree's root that is in use.", 'uuid'),
    treeDepth: gauge('node_bcache_tree_depth', 'How many levels the B-tree has.', 'uuid'),
    journal: gauge(
      'node_bcache_active_journal_entries',
      'Entries of the journal that the index does not have yet.',
      'uuid',
    ),
    btreeNodes: gauge('node_bcache_btree_nodes', 'How many nodes the B-tree has.', 'uuid'),
    btreeRead: gauge(
      'node_bcache_btree_read_average_duration_seconds',
      "The kernel's figure for the mean read of the B-tree, taken as nanoseconds.",
      'uuid',
    ),
    readRaces: counter(
      'node_bcache_cache_read_races_total',
      'Reads from the cache whose place was reused meanwhile.',
      'uuid',
    ),
    dirtyData: backedLevel('node_bcache_dirty_data_bytes', 'Data in the cache that are not yet on the device.'),
    dirtyTarget: backedLevel('node_bcache_dirty_target_bytes', 'How much dirty data the writeback aims at.'),
    rate: backedLevel('node_bcache_writeback_rate', 'Writeback rate, in bytes per second.'),
    proportional: backedLevel('node_bcache_writeback_rate_proportional_term', 'Proportional part of the rate.'),
    integral: backedLevel('node_bcache_writeback_rate_integral_term', 'Integral part of the rate.'),
    change: backedLevel('node_bcache_writeback_change', 'How the rate was changed last.'),
    bypassed: backed('node_bcache_bypassed_bytes_total', 'Bytes that went past the cache.'),
    hits: backed('node_bcache_cache_hits_total', 'Requests that the cache could serve.'),
    misses: backed('node_bcache_cache_misses_total', 'Requests that the cache could not serve.'),
    bypassHits: backed('node_bcache_cache_bypass_hits_total', 'Requests past the cache that it could have served.'),
    bypassMisses: backed('node_bcache_cache_bypass_misses_total', 'Requests past the cache that it had not.'),
    collisions: backed('node_bcache_cache_miss_collisions_total', 'Misses whose data were written meanwhile.'),
    readaheads: backed('node_bcache_cache_readaheads_total', 'Reads ahead.'),
    ioErrors: cached('node_bcache_io_errors', 'Errors of the cache device, which the kernel lets decay.'),
    metadataWritten: counter(
      'node_bcache_metadata_written_bytes_total',
      'Bytes written that are not data.',
      'uuid',
      'cache_device',
    ),
    written: counter('node_bcache_written_bytes_total', 'Bytes written to the cache device.', 'uuid', 'cache_device'),
    unusedPercent: cached('node_bcache_priority_stats_unused_percent', 'Share of the cache that holds nothing.'),
    metadataPercent: cached('node_bcache_priority_stats_metadata_percent', 'Share of the cache that is metadata.'),
  },
  setup({ sys, flags }, metrics) {
    const m = metrics;
    const ofSet = [
      ['average_key_size', m.keySize, 1],
      ['btree_cache_size', m.btreeCacheSize, 1],
      ['cache_available_percent', m.available, 1],
      ['congested', m.congested, 1],
      ['root_usage_percent', m.rootUsage, 1],
      ['tree_depth', m.treeDepth, 1],
      ['internal/active_journal_entries', m.journal, 1],
      ['internal/btree_nodes', m.btreeNodes, 1],
      ['internal/btree_read_average_duration_us', m.btreeRead, 1 / NS_OF_SECOND],
      ['internal/cache_read_races', m.readRaces, 1],
    ] as const;
    const ofBacking = [
      ['dirty_data', m.dirtyData],
      ['stats_total/bypassed', m.bypassed],
      ['stats_total/cache_hits', m.hits],
      ['stats_total/cache_misses', m.misses],
      ['stats_total/cache_bypass_hits', m.bypassHits],
      ['stats_total/cache_bypass_misses', m.bypassMisses],
      ['stats_total/cache_miss_collisions', m.collisions],
    ] as const;
    const ofWriteback = new Map([
      ['target:', m.dirtyTarget],
      ['rate:', m.rate],
      ['proportional:', m.proportional],
      ['integral:', m.integral],
      ['change:', m.change],
    ]);
    const ofCache = [
      ['io_errors', m.ioErrors],
      ['metadata_written', m.metadataWritten],
      ['written', m.written],
    ] as const;
    const ofPriority = new Map([
      ['Unused:', m.unusedPercent],
      ['Metadata:', m.metadataPercent],
    ]);
    const writeBacking = ({ id, taken, lines }: Device, uuid: string, out: LayoutWriter): void => {
      for (const [file, family] of ofBacking) out.sample(family, taken(file, takeSize), uuid, id);
      // Newer kernels have no such counter.
      out.sample(m.readaheads, taken('stats_total/cache_readaheads', takeSize, '0'), uuid, id);
      writePairs(lines('writeback_rate_debug'), ofWriteback, [uuid, id], out);
    };
    const writeCache = ({ id, taken, lines }: Device, uuid: string, out: LayoutWriter): void => {
      for (const [file, family] of ofCache) out.sample(family, taken(file, takeSize), uuid, id);
      if (flags.priorityStats) writePairs(lines('priority_stats'), ofPriority, [uuid, id], out);
    };
    return sys.devices(
      'fs/bcache',
      /-/,
      (set, out) => {
        for (const [file, family, scale] of ofSet) out.sample(family, set.taken(file, takeSize)?.times(scale), set.id);
        for (const name of set.list()) {
          if (/^bdev[0-9]/.test(name)) writeBacking(set.inside(name), set.id, out);
          else if (/^cache[0-9]/.test(name)) writeCache(set.inside(name), set.id, out);
        }
      },
      { ifAbsent: nothing },
    );
  },
});
