import { defineCollector } from '../core/collector.ts';
import { eachDevice } from '../core/devices.ts';
import { optional, ParseError } from '../core/errors.ts';
import { flag } from '../core/flag.ts';
import type { Tree } from '../core/host.ts';
import { counter, gauge } from '../core/metric.ts';
import { float, lines } from '../core/text.ts';

const FOLDER = 'fs/bcache';
const SECONDS_OF_UNIT = 1e-9;
const UNITS = 'kMGTPEZY';

/**
 * Parses a number as bcache writes it: plain, or of units of powers of 1024 with a fraction that counts tenths of 1024ths:
 * `1.10k` is 1 + 10 / 10.24 units. Whole numbers are what is meant, so the rest is cut off. `undefined` for anything else.
 * drivers/md/bcache/util.c, https://docs.kernel.org/admin-guide/bcache.html
 */
export function parseSize(text: string): number | undefined {
  const negative = text.startsWith('-');
  const digits = negative ? text.slice(1) : text;
  const power = digits === '' ? -1 : UNITS.indexOf(digits.at(-1) as string);
  if (power < 0) {
    const plain = float(digits);
    if (plain === undefined || !Number.isFinite(plain)) return undefined;
    return negative ? -Math.trunc(plain) : Math.trunc(plain);
  }
  const [whole = '', fraction, more] = digits.slice(0, -1).split('.');
  const [units, rest] = [float(whole), fraction === undefined ? 0 : float(fraction)];
  if (units === undefined || rest === undefined || more !== undefined) return undefined;
  const value = Math.trunc((units + rest / 10.24) * 1024 ** (power + 1));
  return negative ? -value : value;
}

/** Parses a file of lines such as `dirty:\t\t20.4G`; values may have blanks in them. */
export function parsePairs(text: string): ReadonlyMap<string, string> {
  const pairs = new Map<string, string>();
  for (const line of lines(text)) {
    const colon = line.indexOf(':');
    if (colon > 0) pairs.set(line.slice(0, colon).trim(), line.slice(colon + 1).trim());
  }
  return pairs;
}

/** The number in a file. One that is absent counts as zero, which is what bcache's counters begin with. */
function sizeIn(sys: Tree, path: string): number {
  const text = optional(() => sys.attribute(path));
  if (text === undefined) return 0;
  return sizeOf(path, text);
}

function sizeOf(file: string, text: string): number {
  const value = parseSize(text);
  if (value === undefined) throw new ParseError(file, text);
  return value;
}

/** A line's number in a file of pairs, without the unit at its end; 0 where this kernel's file has no such line. */
function sizeAt(file: string, pairs: ReadonlyMap<string, string>, name: string, unit = ''): number {
  const text = pairs.get(name) ?? '0';
  return sizeOf(file, text.endsWith(unit) ? text.slice(0, text.length - unit.length) : text);
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
      ['internal/btree_read_average_duration_us', m.btreeRead, SECONDS_OF_UNIT],
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
    const ofWriteback = [
      ['target', m.dirtyTarget, ''],
      ['rate', m.rate, '/sec'],
      ['proportional', m.proportional, ''],
      ['integral', m.integral, ''],
      ['change', m.change, '/sec'],
    ] as const;
    const ofCache = [
      ['io_errors', m.ioErrors],
      ['metadata_written', m.metadataWritten],
      ['written', m.written],
    ] as const;
    const folder = sys.folder(FOLDER);
    return (out, turn) => {
      const sets = (optional(() => folder.names()) ?? []).filter((name) => name.includes('-'));
      if (sets.length === 0) return undefined;
      return eachDevice(sets, turn, (uuid) => {
        const path = `${FOLDER}/${uuid}`;
        for (const [file, metric, scale] of ofSet) out.sample(metric, sizeIn(sys, `${path}/${file}`) * scale, uuid);
        for (const name of sys.list(path)) {
          const device = `${path}/${name}`;
          if (/^bdev[0-9]/.test(name)) {
            for (const [file, metric] of ofBacking) out.sample(metric, sizeIn(sys, `${device}/${file}`), uuid, name);
            // Newer kernels have no such counter.
            const readaheads = sizeIn(sys, `${device}/stats_total/cache_readaheads`);
            if (readaheads !== 0) out.sample(m.readaheads, readaheads, uuid, name);
            const debug = `${device}/writeback_rate_debug`;
            const pairs = parsePairs(sys.readOnce(debug));
            for (const [key, metric, unit] of ofWriteback)
              out.sample(metric, sizeAt(debug, pairs, key, unit), uuid, name);
          } else if (/^cache[0-9]/.test(name)) {
            for (const [file, metric] of ofCache) out.sample(metric, sizeIn(sys, `${device}/${file}`), uuid, name);
            if (!flags.priorityStats) continue;
            const file = `${device}/priority_stats`;
            const pairs = parsePairs(sys.readOnce(file));
            out.sample(m.unusedPercent, sizeAt(file, pairs, 'Unused', '%'), uuid, name);
            out.sample(m.metadataPercent, sizeAt(file, pairs, 'Metadata', '%'), uuid, name);
          }
        }
      });
    };
  },
});
