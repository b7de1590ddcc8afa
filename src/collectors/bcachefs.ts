import { defineCollector } from '../core/collector.ts';
import { eachDevice, uintAttribute } from '../core/devices.ts';
import { NoDataError, optional, ParseError } from '../core/errors.ts';
import type { Tree } from '../core/host.ts';
import { counter, dynamic, gauge } from '../core/metric.ts';
import { fields, lines, uint } from '../core/text.ts';
import type { Writer } from '../core/writer.ts';

const FOLDER = 'fs/bcachefs';
const UNITS = 'kmgtpe';

/** `19.3G`, `512k`, `4096`, and as newer kernels write it, `19.3 GiB`. */
const SIZE = /^([0-9]+(?:\.[0-9]+)?)\s*([kmgtpe]?)(?:i?b)?$/i;

/** Parses a size as bcachefs writes it, in units of powers of 1024, to whole bytes; `undefined` for anything else. */
export function parseSize(text: string): number | undefined {
  const [, number, unit = ''] = SIZE.exec(text) ?? [];
  if (number === undefined) return undefined;
  const power = unit === '' ? 0 : UNITS.indexOf(unit.toLowerCase()) + 1;
  return Math.trunc(Number(number) * 1024 ** power);
}

function sizeOf(file: string, text: string, line = text): number {
  const value = parseSize(text);
  if (value === undefined) throw new ParseError(file, line);
  return value;
}

function countOf(file: string, text: string | undefined, line: string): number {
  const value = uint(text);
  if (value === undefined) throw new ParseError(file, line);
  return value;
}

/** The words of a line, a number and the unit after it in one. */
const words = (line: string): string[] => fields(line.replace(/(?<=\s[0-9.]+) +(?=[kmgtpe]?i?B(\s|$))/gi, ''));

export interface Compression {
  readonly algorithm: string;
  readonly compressed: number;
  readonly uncompressed: number;
}

/** Parses `/sys/fs/bcachefs/<uuid>/compression_stats`: a line of titles, then one for each algorithm. https://docs.kernel.org/filesystems/bcachefs/ */
export const parseCompressionStats = (text: string): Compression[] =>
  lines(text)
    .slice(1)
    .flatMap((line) => {
      const [algorithm = '', compressed, uncompressed] = words(line);
      if (compressed === undefined || uncompressed === undefined) return [];
      return {
        algorithm: algorithm.replace(/:$/, ''),
        compressed: sizeOf('compression_stats', compressed, line),
        uncompressed: sizeOf('compression_stats', uncompressed, line),
      };
    });

/** Parses `errors`: kind of error, how often, when last. */
export const parseErrors = (text: string): (readonly [type: string, count: number])[] =>
  lines(text).flatMap((line) => {
    const [type = '', count] = fields(line);
    return count === undefined ? [] : [[type, countOf('errors', count, line)] as const];
  });

export interface BtreeWrites {
  readonly type: string;
  readonly count: number;
  readonly averageBytes: number;
}

/** Parses `btree_write_stats`: a line of titles, then why a node was written, how often, and how large it was on average. */
export const parseBtreeWrites = (text: string): BtreeWrites[] =>
  lines(text)
    .slice(1)
    .flatMap((line) => {
      const [type = '', count, size] = words(line);
      if (count === undefined || size === undefined) return [];
      return {
        type: type.replace(/:$/, ''),
        count: countOf('btree_write_stats', count, line),
        averageBytes: sizeOf('btree_write_stats', size, line),
      };
    });

const SINCE_MOUNT = 'since mount:';
const SINCE_CREATION = 'since filesystem creation:';

/** Parses a file of `counters/`: what was counted since the file system was created, `undefined` where only the mount counts. */
export function parseCounter(file: string, text: string): number | undefined {
  const all = lines(text).map((line) => line.trim());
  const line = all.find((each) => each.startsWith(SINCE_CREATION));
  if (line !== undefined) return sizeOf(file, line.slice(SINCE_CREATION.length).trim(), line);
  if (!all.some((each) => each.startsWith(SINCE_MOUNT))) throw new ParseError(file, text);
  return undefined;
}

export interface IoDone {
  readonly operation: 'read' | 'write';
  readonly dataType: string;
  readonly bytes: number;
}

/** Parses `dev-<n>/io_done`: two sections, `read:` and `write:`, of bytes by kind of data. */
export function parseIoDone(text: string): IoDone[] {
  const done: IoDone[] = [];
  let operation: IoDone['operation'] | undefined;
  for (const line of lines(text)) {
    const colon = line.indexOf(':');
    const [name, value] = [line.slice(0, colon).trim(), line.slice(colon + 1).trim()];
    if (line.trim() === '') continue;
    if (colon < 0) throw new ParseError('io_done', line);
    if (value === '' && (name === 'read' || name === 'write')) operation = name;
    else if (operation === undefined) throw new ParseError('io_done', line);
    else done.push({ operation, dataType: name, bytes: countOf('io_done', value, line) });
  }
  return done;
}

/** Parses `dev-<n>/io_errors`: the section since the file system was created, not the one since the counts were reset. */
export function parseIoErrors(text: string): (readonly [type: string, count: number])[] {
  const errors: (readonly [string, number])[] = [];
  let wanted = false;
  for (const line of lines(text)) {
    if (/^io errors since/i.test(line.trim())) {
      wanted = /since filesystem creation/i.test(line);
      continue;
    }
    const colon = line.indexOf(':');
    if (wanted && colon >= 0)
      errors.push([line.slice(0, colon).trim(), countOf('io_errors', line.slice(colon + 1).trim(), line)]);
  }
  return errors;
}

const sanitize = (name: string): string => name.replace(/_*[^0-9A-Za-z_]+_*/g, '_');
/** Where a name is a folder: one that can be listed. */
const isFolder = (sys: Tree, path: string): boolean => optional(() => sys.list(path)) !== undefined;

const PREFIX = 'dev-';
const DEVICE = ['uuid', 'device'] as const;

export default defineCollector({
  name: 'bcachefs',
  help: 'Exposes bcachefs file systems and their devices.',
  enabled: true,
  reads: ['/sys/fs/bcachefs/<uuid>/*', '/sys/fs/bcachefs/<uuid>/counters/*', '/sys/fs/bcachefs/<uuid>/dev-<number>/*'],
  flags: {},
  metrics: {
    info: gauge('node_bcachefs_info', 'A bcachefs file system; always 1.', 'uuid'),
    btreeCacheSize: gauge('node_bcachefs_btree_cache_size_bytes', 'Memory that the cache of B-trees takes.', 'uuid'),
    compressed: gauge('node_bcachefs_compression_compressed_bytes', 'What compressed data take.', 'uuid', 'algorithm'),
    uncompressed: gauge(
      'node_bcachefs_compression_uncompressed_bytes',
      'What the compressed data would take otherwise.',
      'uuid',
      'algorithm',
    ),
    errors: counter('node_bcachefs_errors_total', 'Errors found in the file system.', 'uuid', 'error_type'),
    counters: dynamic.counter(
      'node_bcachefs_<counter>_total',
      'The counter <counter>, since the file system was created.',
      'uuid',
    ),
    btreeWrites: counter('node_bcachefs_btree_writes_total', 'Writes of nodes of B-trees.', 'uuid', 'type'),
    btreeWriteSize: gauge(
      'node_bcachefs_btree_write_average_size_bytes',
      'How large the written nodes were on average.',
      'uuid',
      'type',
    ),
    deviceInfo: gauge('node_bcachefs_device_info', 'A device; always 1.', ...DEVICE, 'label', 'state'),
    bucketSize: gauge('node_bcachefs_device_bucket_size_bytes', 'Size of a bucket.', ...DEVICE),
    buckets: gauge('node_bcachefs_device_buckets', 'Buckets that the device has.', ...DEVICE),
    durability: gauge('node_bcachefs_device_durability', 'How many copies one on this device counts as.', ...DEVICE),
    ioDone: counter(
      'node_bcachefs_device_io_done_bytes_total',
      'Bytes read and written.',
      ...DEVICE,
      'operation',
      'data_type',
    ),
    ioErrors: counter(
      'node_bcachefs_device_io_errors_total',
      'Errors that the device made since the file system was created.',
      ...DEVICE,
      'type',
    ),
  },
  setup({ sys }, metrics) {
    const read = <T>(path: string, parse: (text: string) => T): T | undefined => {
      const text = sys.attribute(path);
      return text === undefined ? undefined : parse(text);
    };
    const tellSet = (out: Writer, uuid: string): void => {
      const path = `${FOLDER}/${uuid}`;
      out.sample(metrics.info, 1, uuid);
      const cacheSize = read(`${path}/btree_cache_size`, (text) => sizeOf('btree_cache_size', text));
      if (cacheSize !== undefined) out.sample(metrics.btreeCacheSize, cacheSize, uuid);
      const compression = read(`${path}/compression_stats`, parseCompressionStats) ?? [];
      for (const { algorithm, compressed, uncompressed } of compression) {
        out.sample(metrics.compressed, compressed, uuid, algorithm);
        out.sample(metrics.uncompressed, uncompressed, uuid, algorithm);
      }
      for (const [type, count] of read(`${path}/errors`, parseErrors) ?? [])
        out.sample(metrics.errors, count, uuid, type);
      for (const { type, count, averageBytes } of read(`${path}/btree_write_stats`, parseBtreeWrites) ?? []) {
        out.sample(metrics.btreeWrites, count, uuid, type);
        out.sample(metrics.btreeWriteSize, averageBytes, uuid, type);
      }
      for (const name of optional(() => sys.list(`${path}/counters`)) ?? []) {
        const value = read(`${path}/counters/${name}`, (text) => parseCounter(`counters/${name}`, text));
        if (value !== undefined) out.sample(metrics.counters.of(sanitize(name)), value, uuid);
      }
    };
    const tellDevice = (out: Writer, uuid: string, folder: string): void => {
      const path = `${FOLDER}/${uuid}/${folder}`;
      const device = folder.slice(PREFIX.length);
      const shown = (file: string): string => sys.attribute(`${path}/${file}`) ?? '';
      // Some kernels list every state there is, the one in force in brackets.
      out.row(metrics.deviceInfo, 1, [uuid, device, shown('label'), shown('state')]);
      const bucketSize = read(`${path}/bucket_size`, (text) => sizeOf('bucket_size', text));
      if (bucketSize !== undefined) out.sample(metrics.bucketSize, bucketSize, uuid, device);
      const buckets = uintAttribute(sys, `${path}/nbuckets`);
      if (buckets !== undefined) out.sample(metrics.buckets, buckets, uuid, device);
      const durability = uintAttribute(sys, `${path}/durability`);
      if (durability !== undefined) out.sample(metrics.durability, durability, uuid, device);
      for (const { operation, dataType, bytes } of read(`${path}/io_done`, parseIoDone) ?? [])
        out.sample(metrics.ioDone, bytes, uuid, device, operation, dataType);
      for (const [type, count] of read(`${path}/io_errors`, parseIoErrors) ?? [])
        out.sample(metrics.ioErrors, count, uuid, device, type);
    };
    return (out, turn) => {
      const uuids = (optional(() => sys.list(FOLDER)) ?? []).filter((name) => isFolder(sys, `${FOLDER}/${name}`));
      if (uuids.length === 0) throw new NoDataError('no bcachefs');
      const parts = uuids.flatMap((uuid) => [
        () => tellSet(out, uuid),
        ...sys
          .list(`${FOLDER}/${uuid}`)
          .filter((name) => name.startsWith(PREFIX))
          .map((folder) => () => tellDevice(out, uuid, folder)),
      ]);
      return eachDevice(parts, turn, (tell) => tell());
    };
  },
});
