import { defineCollector } from '../core/collector.ts';
import { createFilter } from '../core/filter.ts';
import { flag } from '../core/flag.ts';
import type { Lines, Tree } from '../core/host.ts';
import { counter, gauge } from '../core/metric.ts';
import { nameIn } from '../core/names.ts';
import { float, lines, uint } from '../core/text.ts';
import { BYTES_OF_SECTOR, MS_OF_SECOND } from '../core/units.ts';
import type { LayoutWriter } from '../core/writer.ts';

const NAMED_COLUMNS = 3;
const VALUES_MIN = 11;
/** Before Linux 2.6.25 partitions had four values, of other meanings. */
const OLD_PARTITION_COLUMNS = 7;

/** Parses a file of udev's database: the properties of a device. https://www.freedesktop.org/software/systemd/man/udevadm.html */
export function parseUdevData(text: string): ReadonlyMap<string, string> {
  const properties = new Map<string, string>();
  for (const line of lines(text)) {
    const equals = line.indexOf('=');
    if (line.startsWith('E:') && equals > 2) properties.set(line.slice(2, equals), line.slice(equals + 1));
  }
  return properties;
}

const SECONDS_OF_MS = 1 / MS_OF_SECOND;

/** A slash in a name is an exclamation mark in sysfs. */
function isRotationalDisk(sys: Tree, lines: Lines, device: string): boolean {
  const name = nameIn(sys, 'block', device.replaceAll('/', '!'));
  return name !== undefined && lines.fixed(sys.passing(`block/${name}/queue/rotational`))?.trim() === '1';
}

const metrics = {
  info: gauge(
    'node_disk_info',
    'What udev and sysfs know of a block device; always 1.',
    'device',
    'major',
    'minor',
    'path',
    'wwn',
    'model',
    'serial',
    'revision',
    'rotational',
  ),
  reads: counter('node_disk_reads_completed_total', 'Reads that ended well.', 'device'),
  readsMerged: counter('node_disk_reads_merged_total', 'Reads that were merged into another.', 'device'),
  readBytes: counter('node_disk_read_bytes_total', 'Bytes read.', 'device'),
  readTime: counter('node_disk_read_time_seconds_total', 'Time that all reads took together.', 'device'),
  writes: counter('node_disk_writes_completed_total', 'Writes that ended well.', 'device'),
  writesMerged: counter('node_disk_writes_merged_total', 'Writes that were merged into another.', 'device'),
  writtenBytes: counter('node_disk_written_bytes_total', 'Bytes written.', 'device'),
  writeTime: counter('node_disk_write_time_seconds_total', 'Time that all writes took together.', 'device'),
  ioNow: gauge('node_disk_io_now', 'Requests under way.', 'device'),
  ioTime: counter('node_disk_io_time_seconds_total', 'Time during which a request was under way.', 'device'),
  ioTimeWeighted: counter(
    'node_disk_io_time_weighted_seconds_total',
    'Time during which requests were under way, times their number.',
    'device',
  ),
  discards: counter('node_disk_discards_completed_total', 'Discards that ended well.', 'device'),
  discardsMerged: counter('node_disk_discards_merged_total', 'Discards that were merged into another.', 'device'),
  discardedSectors: counter('node_disk_discarded_sectors_total', 'Sectors of 512 bytes discarded.', 'device'),
  discardTime: counter('node_disk_discard_time_seconds_total', 'Time that all discards took together.', 'device'),
  flushes: counter('node_disk_flush_requests_total', 'Flushes that ended well.', 'device'),
  flushTime: counter('node_disk_flush_requests_time_seconds_total', 'Time that all flushes took together.', 'device'),
  filesystem: gauge(
    'node_disk_filesystem_info',
    'The file system that udev found on a block device; always 1.',
    'device',
    'type',
    'usage',
    'uuid',
    'version',
  ),
  deviceMapper: gauge(
    'node_disk_device_mapper_info',
    'What udev knows of a device of the device mapper; always 1.',
    'device',
    'name',
    'uuid',
    'vg_name',
    'lv_name',
    'lv_layer',
  ),
  ataWriteCache: gauge('node_disk_ata_write_cache', 'Whether the ATA disk has a write cache (1).', 'device'),
  ataWriteCacheEnabled: gauge(
    'node_disk_ata_write_cache_enabled',
    'Whether the write cache of the ATA disk is on (1).',
    'device',
  ),
  ataRotationRate: gauge(
    'node_disk_ata_rotation_rate_rpm',
    'Rotations per minute of the ATA disk; 0 where it does not rotate.',
    'device',
  ),
} as const;

/** What is made of a line's numbers, in the kernel's order, and what to multiply them by. */
const COLUMNS = [
  [metrics.reads, 1],
  [metrics.readsMerged, 1],
  [metrics.readBytes, BYTES_OF_SECTOR],
  [metrics.readTime, SECONDS_OF_MS],
  [metrics.writes, 1],
  [metrics.writesMerged, 1],
  [metrics.writtenBytes, BYTES_OF_SECTOR],
  [metrics.writeTime, SECONDS_OF_MS],
  [metrics.ioNow, 1],
  [metrics.ioTime, SECONDS_OF_MS],
  [metrics.ioTimeWeighted, SECONDS_OF_MS],
  [metrics.discards, 1],
  [metrics.discardsMerged, 1],
  [metrics.discardedSectors, 1],
  [metrics.discardTime, SECONDS_OF_MS],
  [metrics.flushes, 1],
  [metrics.flushTime, SECONDS_OF_MS],
] as const;

const FILESYSTEM = ['ID_FS_TYPE', 'ID_FS_USAGE', 'ID_FS_UUID', 'ID_FS_VERSION'] as const;
const DEVICE_MAPPER = ['DM_NAME', 'DM_UUID', 'DM_VG_NAME', 'DM_LV_NAME', 'DM_LV_LAYER'] as const;
const ATA_COLUMNS = [
  ['ID_ATA_WRITE_CACHE', metrics.ataWriteCache],
  ['ID_ATA_WRITE_CACHE_ENABLED', metrics.ataWriteCacheEnabled],
  ['ID_ATA_ROTATION_RATE_RPM', metrics.ataRotationRate],
] as const;

/** What is known of a device besides its counters. */
interface Facts {
  readonly major: string;
  readonly minor: string;
  readonly device: string;
  readonly properties: ReadonlyMap<string, string>;
  readonly isRotational: boolean;
}

function writeFacts({ major, minor, device, properties, isRotational }: Facts, out: LayoutWriter): void {
  const of = (name: string): string => properties.get(name) ?? '';
  const serial = of('SCSI_IDENT_SERIAL') || of('ID_SERIAL_SHORT') || of('ID_SERIAL');
  const labels = [of('ID_PATH'), of('ID_WWN'), of('ID_MODEL'), serial, of('ID_REVISION'), isRotational ? '1' : '0'];
  out.row(metrics.info, 1, [device, major, minor, ...labels]);
  if (of('ID_FS_TYPE') !== '') out.row(metrics.filesystem, 1, [device, ...FILESYSTEM.map(of)]);
  if (of('DM_NAME') !== '') out.row(metrics.deviceMapper, 1, [device, ...DEVICE_MAPPER.map(of)]);
  if (of('ID_ATA') === '') return;
  for (const [name, metric] of ATA_COLUMNS) out.sample(metric, float(properties.get(name)), device);
}

export default defineCollector({
  name: 'diskstats',
  help: 'Exposes what block devices read, write, discard and flush, and what udev knows of them.',
  enabled: true,
  reads: ['/proc/diskstats', '/sys/block/<device>/queue/rotational', '/run/udev/data/b<major>:<minor>'],
  flags: {
    exclude: flag.regexp(
      'collector.diskstats.device-exclude',
      'Block devices to leave out (RE2). Excludes device-include.',
      '^(z?ram|loop|fd|(h|s|v|xv)d[a-z]|nvme\\d+n\\d+p)\\d+$',
    ),
    include: flag.regexp(
      'collector.diskstats.device-include',
      'Block devices to take, and no others (RE2). Excludes device-exclude.',
    ),
    old: flag.regexp('collector.diskstats.ignored-devices', 'Block devices to leave out (RE2).', '', {
      hidden: true,
      deprecated: 'collector.diskstats.device-exclude',
    }),
  },
  metrics,
  setup({ proc, sys, udev, flags, isGiven, log }) {
    const wants = createFilter({
      ...flags,
      excludeGiven: isGiven('exclude'),
      names: [
        'collector.diskstats.device-include',
        'collector.diskstats.device-exclude',
        'collector.diskstats.ignored-devices',
      ],
    });
    if (!udev.exists('')) log.info('no udev data about disks', { path: udev.root });
    const factsOf = (lines: Lines, [major, minor, device]: readonly [string, string, string]): Facts => {
      // What udev writes is replaced as a whole.
      const properties = parseUdevData(lines.fixed(udev.passing(`b${major}:${minor}`)) ?? '');
      return { major, minor, device, properties, isRotational: isRotationalDisk(sys, lines, device) };
    };
    /** Lines with fewer columns (partitions, on old kernels) are left out. https://docs.kernel.org/admin-guide/iostats.html */
    return proc.table(
      'diskstats',
      (lines, out) =>
        lines.each((line) => {
          if (line.length === OLD_PARTITION_COLUMNS) return;
          if (line.length < NAMED_COLUMNS + VALUES_MIN) throw line.fault();
          const names = [line.word(0), line.word(1), line.word(2)] as const;
          if (uint(names[0]) === undefined || uint(names[1]) === undefined) throw line.fault();
          if (!wants(names[2])) return;
          for (const [i, [metric, scale]] of COLUMNS.entries()) {
            const column = i + NAMED_COLUMNS;
            if (column < line.length) out.sample(metric, line.uint(column).times(scale), names[2]);
          }
          writeFacts(factsOf(lines, names), out);
        }),
      { mayBeEmpty: true },
    );
  },
});
