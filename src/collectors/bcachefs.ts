import { noData, nothing } from '../core/absent.ts';
import { defineCollector } from '../core/collector.ts';
import type { Collect, Device, Line, Take } from '../core/host.ts';
import { counter, dynamic, gauge } from '../core/metric.ts';
import type { Reading } from '../core/reading.ts';
import type { LayoutWriter } from '../core/writer.ts';

const FOLDER = 'fs/bcachefs';
const [POINT, ZERO, BLANK, LETTER_B, LETTER_I] = [46, 48, 32, 98, 105] as const;
const UNITS = Buffer.from('kmgtpe');

/** Takes a unit of bytes, as the number of bytes that it stands for: `k`, `KiB`, `B`, or none. */
const takeUnit: Take = (bytes, start, end, into, place) => {
  const letterAt = (at: number): number => (at < end ? (bytes[at] as number) | 32 : 0);
  let at = start;
  const power = UNITS.indexOf(letterAt(at)) + 1;
  if (power > 0) at += 1;
  if (letterAt(at) === LETTER_I && letterAt(at + 1) === LETTER_B) at += 1;
  if (letterAt(at) === LETTER_B) at += 1;
  into[place] = 1024 ** power;
  return at < end && (bytes[at] as number) > BLANK ? -1 : at;
};

const isDigit = (byte: number | undefined): byte is number => byte !== undefined && byte >= ZERO && byte < ZERO + 10;

/** Takes a size as bcachefs writes it, in units of powers of 1024, to whole bytes: `19.3G`, `512k`, `4096`. */
export const takeSize: Take = (bytes, start, end, into, place) => {
  let [value, at, decimals] = [0, start, 0];
  for (; at < end && isDigit(bytes[at]); at += 1) value = value * 10 + (bytes[at] as number) - ZERO;
  if (at === start) return -1;
  if (at < end && bytes[at] === POINT) {
    at += 1;
    for (; at < end && isDigit(bytes[at]); at += 1, decimals += 1) value = value * 10 + (bytes[at] as number) - ZERO;
    if (decimals === 0) return -1;
  }
  const after = takeUnit(bytes, at, end, into, place);
  into[place] = Math.trunc((value / 10 ** decimals) * (into[place] as number));
  return after;
};

/** The size in a column, from which its unit stands apart as newer kernels write it: `19.3 GiB`. */
const sizeAt = (line: Line, column: number, isApart: boolean): Reading =>
  isApart
    ? line
        .number(column)
        .by(line.taken(column + 1, takeUnit))
        .map(Math.trunc)
    : line.taken(column, takeSize);

/** The count of a line `name: 5`, `name : 5` or `name:5`. */
function countOf(line: Line): readonly [name: string, count: Reading] {
  const head = line.upTo(0, ':');
  const column = head === undefined ? 1 : 0;
  const before = head ?? line.upTo(1, ':');
  if (before === undefined) throw line.fault();
  const name = head === undefined ? line.word(0) : head.slice(0, -1);
  return [name, line.length > column + 1 ? line.uint(column + 1) : line.uint(column, before)];
}

const sanitize = (name: string): string => name.replace(/_*[^0-9A-Za-z_]+_*/g, '_');
const PREFIX = 'dev-';
const DEVICE = ['uuid', 'device'] as const;

const metrics = {
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
} as const;

const writeSize = (device: Device, file: string, write: (size: Reading) => void): void =>
  device.lines(file)?.each((line) => write(sizeAt(line, 0, line.length > 1)));

function writeTables({ id, lines }: Device, out: LayoutWriter): void {
  // Below a line of titles an algorithm and two sizes.
  lines('compression_stats')?.each((line, i) => {
    if (i === 0 || line.length < 3) return;
    const algorithm = line.word(0).replace(/:$/, '');
    const isApart = line.length > 4;
    out.sample(metrics.compressed, sizeAt(line, 1, isApart), id, algorithm);
    out.sample(metrics.uncompressed, sizeAt(line, isApart ? 3 : 2, isApart), id, algorithm);
  });
  // Kind of error, how often, when last.
  lines('errors')?.each((line) => {
    if (line.length > 1) out.sample(metrics.errors, line.uint(1), id, line.word(0));
  });
  // Below a line of titles why a node was written, how often, and how large it was on average.
  lines('btree_write_stats')?.each((line, i) => {
    if (i === 0 || line.length < 3) return;
    const type = line.word(0).replace(/:$/, '');
    out.sample(metrics.btreeWrites, line.uint(1), id, type);
    out.sample(metrics.btreeWriteSize, sizeAt(line, 2, line.length > 3), id, type);
  });
}

/** Some count since the file system was mounted only. */
function writeCounter(line: Line, id: string, name: string, out: LayoutWriter): void {
  if (line.find(0) !== 'since') throw line.fault();
  const isWanted = line.find(1) === 'filesystem' && line.find(2) === 'creation:';
  if (!isWanted && line.find(1) !== 'mount:') out.passedOver(`${name} since ${line.word(1)}`);
  if (isWanted) out.sample(metrics.counters.of(sanitize(name)), sizeAt(line, 3, line.length > 4), id);
}

function writeIo({ lines }: Device, uuid: string, device: string, out: LayoutWriter): void {
  let operation: string | undefined;
  lines('io_done')?.each((line) => {
    const head = line.upTo(0, ':');
    if (line.length === 1 && (head === 'read:' || head === 'write:')) {
      operation = head.slice(0, -1);
      return;
    }
    if (operation === undefined) throw line.fault();
    const known = operation;
    // A word alone may be a heading that we do not know: what follows it is of neither operation.
    if (line.length === 1) operation = undefined;
    const [type, bytes] = countOf(line);
    operation = known;
    out.sample(metrics.ioDone, bytes, uuid, device, operation, type);
  });
  // `IO errors since filesystem creation`; there is another section since the counts were reset.
  let isWanted = false;
  lines('io_errors')?.each((line) => {
    if (line.upTo(0, ':') === undefined && line.find(0)?.toLowerCase() === 'io')
      isWanted = line.find(4)?.toLowerCase() === 'creation';
    else if (isWanted) {
      const [type, count] = countOf(line);
      out.sample(metrics.ioErrors, count, uuid, device, type);
    }
  });
}

function writeDevice(folder: Device, uuid: string, out: LayoutWriter): void {
  const device = folder.id.slice(PREFIX.length);
  // Some kernels list every state there is, the one in force in brackets.
  out.row(metrics.deviceInfo, 1, [uuid, device, folder.word('label') ?? '', folder.word('state') ?? '']);
  writeSize(folder, 'bucket_size', (size) => out.sample(metrics.bucketSize, size, uuid, device));
  out.sample(metrics.buckets, folder.number('nbuckets'), uuid, device);
  out.sample(metrics.durability, folder.number('durability'), uuid, device);
  writeIo(folder, uuid, device, out);
}

export default defineCollector({
  name: 'bcachefs',
  help: 'Exposes bcachefs file systems and their devices.',
  enabled: true,
  reads: ['/sys/fs/bcachefs/<uuid>/*', '/sys/fs/bcachefs/<uuid>/counters/*', '/sys/fs/bcachefs/<uuid>/dev-<number>/*'],
  flags: {},
  metrics,
  /** https://docs.kernel.org/filesystems/bcachefs/ */
  setup({ sys }) {
    const folder = sys.folder(FOLDER);
    const filesystems = sys.devices(
      FOLDER,
      /./,
      (filesystem, out) => {
        const { id: uuid } = filesystem;
        const names = filesystem.list();
        if (names.length === 0) return;
        out.sample(metrics.info, 1, uuid);
        writeSize(filesystem, 'btree_cache_size', (size) => out.sample(metrics.btreeCacheSize, size, uuid));
        writeTables(filesystem, out);
        for (const name of filesystem.list('counters'))
          filesystem.lines(`counters/${name}`)?.each((line) => writeCounter(line, uuid, name, out));
        for (const name of names) if (name.startsWith(PREFIX)) writeDevice(filesystem.inside(name), uuid, out);
      },
      { ifAbsent: nothing },
    );
    const none = noData('no bcachefs');
    const conclude: Collect = (out) => {
      if (folder.tryNames().length === 0) out.fault(none());
    };
    return [filesystems, conclude];
  },
});
