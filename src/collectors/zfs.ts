import { defineCollector, type Turn } from '../core/collector.ts';
import { eachDevice } from '../core/devices.ts';
import { NoDataError, optional, ParseError } from '../core/errors.ts';
import { dynamic, gauge } from '../core/metric.ts';
import { fields, int, lines, uint } from '../core/text.ts';
import type { Writer } from '../core/writer.ts';

const FOLDER = 'spl/kstat/zfs';
const STATES = ['online', 'degraded', 'faulted', 'offline', 'removed', 'unavail', 'suspended'] as const;
/** kstat's data types: KSTAT_DATA_INT64, KSTAT_DATA_UINT64. Others are texts and the like. */
const INT64 = '3';
const UINT64 = '4';

export interface Kstat {
  /** Field and value, in the kernel's order. */
  readonly values: readonly (readonly [field: string, value: number])[];
  /** `dataset_name`, in files of datasets. */
  readonly dataset: string | undefined;
}

/** What is left of a field's name in a metric's. */
const fieldOf = (name: string): string => (name.split('.').at(-1) as string).replaceAll('-', '_');

/**
 * Parses a kstat file of named values, such as `/proc/spl/kstat/zfs/arcstats`: two lines of header, then `name type data`.
 * https://openzfs.github.io/openzfs-docs/man/master/4/spl.4.html
 */
export function parseKstat(file: string, text: string, types: readonly string[] = [INT64, UINT64]): Kstat {
  const all = lines(text);
  const header = all.findIndex((line) => fields(line).join(' ') === 'name type data');
  if (header < 0) throw new ParseError(file, all[1] ?? all[0] ?? '');
  const values: (readonly [string, number])[] = [];
  let dataset: string | undefined;
  for (const line of all.slice(header + 1)) {
    const [name, type, data] = fields(line);
    if (name === undefined || type === undefined || data === undefined) continue;
    // A dataset's name may hold blanks.
    if (name === 'dataset_name') dataset = /^\s*\S+\s+\S+\s(.*)$/.exec(line)?.[1]?.trim();
    if (!types.includes(type)) continue;
    const value = type === INT64 ? int(data) : uint(data);
    if (value === undefined) throw new ParseError(file, line);
    values.push([fieldOf(name), value]);
  }
  return { values, dataset };
}

const IO_COLUMNS_MIN = 12;

/** Parses `/proc/spl/kstat/zfs/<pool>/io` of old ZFS: a line of names that begins with `nread`, then a line of numbers. */
export function parsePoolIo(file: string, text: string): Kstat['values'] {
  const all = lines(text).map(fields);
  const header = all.findIndex(([first], i) => first === 'nread' && (all[i]?.length ?? 0) >= IO_COLUMNS_MIN);
  const [names, numbers] = [all[header], all[header + 1]];
  if (header < 0 || names === undefined || numbers === undefined) throw new ParseError(file, text);
  return names.map((name, i) => {
    const value = uint(numbers[i]);
    if (value === undefined) throw new ParseError(file, numbers.join(' '));
    return [fieldOf(name), value] as const;
  });
}

export default defineCollector({
  name: 'zfs',
  help: 'Exposes what ZFS tells of its caches, pools and datasets.',
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
    const write = async (names: readonly string[], out: Writer, turn: Turn): Promise<void> => {
      const read = (path: string): string | undefined => optional(() => proc.readOnce(`${FOLDER}/${path}`));
      const known = new Set<string>(files.map(([file]) => file));
      const inPools = names
        .filter((name) => !known.has(name))
        .flatMap((pool) => (optional(() => proc.list(`${FOLDER}/${pool}`)) ?? []).map((file) => ({ pool, file })));

      const tellFile = ([file, metric]: (typeof files)[number]): void => {
        const text = read(file);
        if (text === undefined) return;
        for (const [field, value] of parseKstat(file, text).values) out.sample(metric.of(field), value);
      };
      const tellOfPool = ({ pool, file }: { pool: string; file: string }): void => {
        const path = `${pool}/${file}`;
        if (file !== 'io' && file !== 'state' && !file.startsWith('objset-')) return;
        const text = read(path);
        if (text === undefined) return;
        if (file === 'io') {
          for (const [field, value] of parsePoolIo(path, text)) out.sample(metrics.pool.of(field), value, pool);
        } else if (file === 'state') {
          const state = lines(text)[0]?.trim().toLowerCase() ?? '';
          if (state === '') throw new ParseError(path, text);
          for (const each of STATES) out.sample(metrics.state, each === state ? 1 : 0, pool, each);
        } else {
          const { values, dataset } = parseKstat(path, text, [UINT64]);
          if (dataset === undefined || dataset === '') throw new ParseError(path, text);
          for (const [field, value] of values) out.sample(metrics.dataset.of(field), value, pool, dataset);
        }
      };
      await eachDevice(
        [...files.map((each) => () => tellFile(each)), ...inPools.map((each) => () => tellOfPool(each))],
        turn,
        (tell) => tell(),
      );
    };
    const folder = proc.folder(FOLDER);
    return (out, turn) => {
      const names = optional(() => folder.names());
      if (names === undefined) throw new NoDataError('no ZFS');
      return write(names, out, turn);
    };
  },
});
