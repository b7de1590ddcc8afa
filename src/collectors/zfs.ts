import { noData, nothing } from '../core/absent.ts';
import { type Collect, defineCollector } from '../core/collector.ts';
import { hasErrno, ParseError } from '../core/errors.ts';
import type { Device, Lines } from '../core/host.ts';
import { dynamic, gauge } from '../core/metric.ts';
import type { Reading } from '../core/reading.ts';
import { uint } from '../core/text.ts';
import type { LayoutWriter } from '../core/writer.ts';

const FOLDER = 'spl/kstat/zfs';
const STATES = ['online', 'degraded', 'faulted', 'offline', 'removed', 'unavail', 'suspended'] as const;
const POOL_FILE = /^(io|state|objset-.*)$/;
/** kstat's data types: KSTAT_DATA_INT64, KSTAT_DATA_UINT64. Others are texts and the like. */
const INT64 = '3';
const UINT64 = '4';

/** What is left of a field's name in a metric's. */
const fieldOf = (name: string): string => (name.split('.').at(-1) as string).replaceAll('-', '_');

/**
 * A kstat file of named values, such as `/proc/spl/kstat/zfs/arcstats`: two lines of header, then `name type data`.
 * https://openzfs.github.io/openzfs-docs/man/master/4/spl.4.html
 */
function writeKstat(lines: Lines, types: readonly string[], write: (field: string, value: Reading) => void): void {
  let isBody = false;
  lines.each((line, row) => {
    if (row === 0) return;
    if (!isBody) {
      isBody = ['name', 'type', 'data'].every((word, i) => line.find(i) === word);
      return;
    }
    const type = line.word(1);
    if (uint(type) === undefined) throw line.fault();
    if (types.includes(type)) write(fieldOf(line.word(0)), type === INT64 ? line.number(2) : line.uint(2));
  });
  if (!isBody) throw lines.at(1)?.fault() ?? lines.at(0)?.fault() ?? new ParseError('kstat', '');
}

/** The name of a dataset, which may hold blanks; `undefined` where there is none. */
function datasetIn(lines: Lines): string | undefined {
  for (const line of lines) if (line.find(0) === 'dataset_name') return line.rest(2).trim() || undefined;
  return undefined;
}

const IO_COLUMNS_MIN = 12;

/** `/proc/spl/kstat/zfs/<pool>/io` of old ZFS: a line of names that begins with `nread`, then a line of numbers. */
function writePoolIo(lines: Lines, write: (field: string, value: Reading) => void): void {
  const all = [...lines];
  const header = all.findIndex((line, row) => row > 0 && line.find(0) === 'nread' && line.length >= IO_COLUMNS_MIN);
  const [names, numbers] = [all[header], all[header + 1]];
  if (names === undefined || numbers === undefined) throw all[1]?.fault() ?? new ParseError('io', '');
  lines.one(numbers, () => {
    for (let i = 0; i < names.length; i += 1) write(fieldOf(names.word(i)), numbers.uint(i));
  });
}

export default defineCollector({
  name: 'zfs',
  help: 'Exposes what ZFS reports of its caches, pools and datasets.',
  enabled: true,
  reads: [
    '/proc/spl/kstat/zfs/*',
    '/proc/spl/kstat/zfs/<pool>/io',
    '/proc/spl/kstat/zfs/<pool>/objset-*',
    '/proc/spl/kstat/zfs/<pool>/state',
  ],
  flags: {},
  metrics: {
    abd: dynamic.untyped('node_zfs_abd_<field>', 'abdstats: <field>.'),
    arc: dynamic.untyped('node_zfs_arc_<field>', 'arcstats: <field>.'),
    dbuf: dynamic.untyped('node_zfs_dbuf_<field>', 'dbufstats: <field>.'),
    dmuTx: dynamic.untyped('node_zfs_dmu_tx_<field>', 'dmu_tx: <field>.'),
    dnode: dynamic.untyped('node_zfs_dnode_<field>', 'dnodestats: <field>.'),
    fm: dynamic.untyped('node_zfs_fm_<field>', 'fm: <field>.'),
    vdevCache: dynamic.untyped('node_zfs_vdev_cache_<field>', 'vdev_cache_stats: <field>.'),
    vdevMirror: dynamic.untyped('node_zfs_vdev_mirror_<field>', 'vdev_mirror_stats: <field>.'),
    xuio: dynamic.untyped('node_zfs_xuio_<field>', 'xuio_stats: <field>.'),
    zfetch: dynamic.untyped('node_zfs_zfetch_<field>', 'zfetchstats: <field>.'),
    zil: dynamic.untyped('node_zfs_zil_<field>', 'zil: <field>.'),
    pool: dynamic.untyped('node_zfs_zpool_<field>', 'io of a pool: <field>.', 'zpool'),
    dataset: dynamic.untyped('node_zfs_zpool_dataset_<field>', 'objset of a dataset: <field>.', 'zpool', 'dataset'),
    state: gauge('node_zfs_zpool_state', 'Whether the pool is in this state (1).', 'zpool', 'state'),
  },
  setup({ proc }, metrics) {
    const files = [
      ['abdstats', metrics.abd],
      ['arcstats', metrics.arc],
      ['dbufstats', metrics.dbuf],
      ['dmu_tx', metrics.dmuTx],
      ['dnodestats', metrics.dnode],
      ['fm', metrics.fm],
      ['vdev_cache_stats', metrics.vdevCache],
      ['vdev_mirror_stats', metrics.vdevMirror],
      ['xuio_stats', metrics.xuio],
      ['zfetchstats', metrics.zfetch],
      ['zil', metrics.zil],
    ] as const;
    const writePoolFile = (device: Device, file: string, out: LayoutWriter): void => {
      const pool = device.id;
      const lines = device.lines(file);
      if (lines === undefined) return;
      if (file === 'state') {
        const state = lines.at(0)?.find(0)?.toLowerCase();
        if (state === undefined) return;
        for (const each of STATES) out.sample(metrics.state, each === state ? 1 : 0, pool, each);
      } else if (file === 'io') {
        writePoolIo(lines, (field, value) => out.sample(metrics.pool.of(field), value, pool));
      } else {
        const dataset = datasetIn(lines);
        if (dataset === undefined) throw new ParseError(`${device.path}/${file}`, 'no dataset_name');
        writeKstat(lines, [UINT64], (field, value) => out.sample(metrics.dataset.of(field), value, pool, dataset));
      }
    };
    const tables = files.map(([file, metric]) =>
      proc.table(
        `${FOLDER}/${file}`,
        (lines, out) => writeKstat(lines, [INT64, UINT64], (field, value) => out.sample(metric.of(field), value)),
        { ifAbsent: nothing },
      ),
    );
    // Most machines have no ZFS: there the folder alone is asked for.
    const folder = proc.folder(FOLDER);
    return [
      ...tables.map(
        (table): Collect =>
          (out, turn) =>
            hasErrno(folder.failure()) ? undefined : table(out, turn),
      ),
      // Beside these files there are folders of pools, and files that are not ours.
      proc.devices(
        FOLDER,
        new RegExp(`^(?!(?:${files.map(([file]) => file).join('|')})$)`),
        (pool, out) => {
          for (const file of pool.list().filter((name) => POOL_FILE.test(name))) {
            try {
              writePoolFile(pool, file, out);
            } catch (error) {
              if (!(error instanceof ParseError)) throw error;
              out.fault(error);
            }
          }
        },
        { ifAbsent: noData('no ZFS') },
      ),
    ];
  },
});
