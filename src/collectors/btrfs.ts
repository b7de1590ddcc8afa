import { nothing } from '../core/absent.ts';
import { defineCollector, type Host } from '../core/collector.ts';
import { isRefusal } from '../core/errors.ts';
import { type Faults, unsaid } from '../core/faults.ts';
import type { Beside, Collect, Device, KernelFile, Lines } from '../core/host.ts';
import { counter, type Family, gauge } from '../core/metric.ts';
import { BTRFS_ERRORS, type BtrfsDevice } from '../core/system.ts';
import { BYTES_OF_SECTOR, MS_OF_SECOND } from '../core/units.ts';
import { bytesOf } from '../core/utf8.ts';
import type { LayoutWriter, Writer } from '../core/writer.ts';
import { parseMountinfo, unescapeMount } from '../parse/mountinfo.ts';

const FOLDER = 'fs/btrfs';
const FILESYSTEM = /-/;
const GROUPS = ['data', 'metadata', 'system'] as const;

const COPIES: Readonly<Record<string, number>> = {
  single: 1,
  raid0: 1,
  dup: 2,
  raid1: 2,
  raid10: 2,
  raid1c3: 3,
  raid1c4: 4,
};

/** How many of the devices hold parity. */
const PARITIES: Readonly<Record<string, number>> = { raid5: 1, raid6: 2 };

/**
 * How much of the disks a byte takes in a profile; 0 where the profile is not known, and `undefined` where the number of devices
 * does not say it: some are missing, or cannot be counted.
 */
export function allocationRatio(profile: string, devices: number | undefined): number | undefined {
  const parity = Object.hasOwn(PARITIES, profile) ? (PARITIES[profile] as number) : 0;
  if (parity > 0) return devices === undefined || devices <= parity ? undefined : devices / (devices - parity);
  return Object.hasOwn(COPIES, profile) ? (COPIES[profile] as number) : 0;
}

const metrics = {
  info: gauge('node_btrfs_info', 'A Btrfs file system; always 1.', 'uuid', 'label'),
  globalReserve: gauge('node_btrfs_global_rsv_size_bytes', 'Space kept back for the file system itself.', 'uuid'),
  commits: counter('node_btrfs_commits_total', 'Commits made.', 'uuid'),
  lastCommit: gauge('node_btrfs_last_commit_seconds', 'How long the last commit took.', 'uuid'),
  maxCommit: gauge('node_btrfs_max_commit_seconds', 'How long the longest commit took.', 'uuid'),
  commitTime: counter('node_btrfs_commit_seconds_total', 'How long all commits took together.', 'uuid'),
  reserved: gauge(
    'node_btrfs_reserved_bytes',
    'Space that is promised to what is being written.',
    'uuid',
    'block_group_type',
  ),
  used: gauge('node_btrfs_used_bytes', 'Space in block groups that is in use.', 'uuid', 'block_group_type', 'mode'),
  size: gauge('node_btrfs_size_bytes', 'Space in block groups, in use and free.', 'uuid', 'block_group_type', 'mode'),
  ratio: gauge(
    'node_btrfs_allocation_ratio',
    'How many bytes of the devices one byte takes.',
    'uuid',
    'block_group_type',
    'mode',
  ),
  deviceSize: gauge('node_btrfs_device_size_bytes', 'How large the device is.', 'uuid', 'device'),
  deviceSizeAsked: gauge(
    'node_btrfs_device_size_bytes',
    'How large the device is.',
    'uuid',
    'device',
    'btrfs_dev_uuid',
  ),
  deviceUnused: gauge(
    'node_btrfs_device_unused_bytes',
    'Space on the device that no block group has.',
    'uuid',
    'device',
    'btrfs_dev_uuid',
  ),
  deviceErrors: counter(
    'node_btrfs_device_errors_total',
    'Errors of the device.',
    ...(['uuid', 'type', 'device', 'btrfs_dev_uuid'] as const),
  ),
} as const;

/** The lines of `commit_stats`, of Linux 6.1 and later, and what they are divided by. https://btrfs.readthedocs.io/en/latest/ch-sysfs.html */
const COMMITS: ReadonlyMap<string, readonly [Family<readonly ['uuid']>, number]> = new Map([
  ['commits', [metrics.commits, 1]],
  ['last_commit_ms', [metrics.lastCommit, MS_OF_SECOND]],
  ['max_commit_ms', [metrics.maxCommit, MS_OF_SECOND]],
  ['total_commit_ms', [metrics.commitTime, MS_OF_SECOND]],
]);

/** Where Btrfs is mounted, by the number of its device, under `--path.rootfs`; all are bytes, one per character (latin1). */
function parseMountPoints(mountinfo: string, rootfs: string): ReadonlyMap<string, readonly string[]> {
  const found = new Map<string, string[]>();
  for (const { fsType, major, minor, mountPoint } of parseMountinfo(mountinfo)) {
    if (fsType !== 'btrfs') continue;
    const device = `${major}:${minor}`;
    const path = `${rootfs === '/' ? '' : rootfs}${unescapeMount(mountPoint)}`;
    found.set(device, [...(found.get(device) ?? []), path]);
  }
  return found;
}

/** The mount points of each file system, of the machine, or of this process where those are hidden. */
function openMountPoints({ proc, rootfs }: Pick<Host, 'proc' | 'rootfs'>): (faults?: Faults) => (readonly string[])[] {
  const files = ['1/mountinfo', 'self/mountinfo'].map((file) => proc.passing(file));
  let known:
    | { readonly file: KernelFile; readonly version: number; readonly points: (readonly string[])[] }
    | undefined;
  return (faults = unsaid) => {
    const file = files.find((each) => each.tryRead(faults));
    if (file === undefined) return [];
    if (known?.file !== file || known.version !== file.version) {
      const found = parseMountPoints(file.bytes.toString('latin1', 0, file.length), bytesOf(rootfs));
      known = { file, version: file.version, points: [...found.values()] };
    }
    return known.points;
  };
}

/** What file systems answered at this scrape, by their UUIDs. */
interface Asked extends Beside {
  ask(faults: Faults): Promise<void>;
  /** Another one as soon as others answer. */
  readonly version: number;
  readonly devices: ReadonlyMap<string, readonly BtrfsDevice[]>;
}

/** A mount point that cannot be asked costs itself alone; one that hangs holds up the others too. */
const toFault =
  (faults: Faults) =>
  (error: unknown): undefined => {
    if (!isRefusal(error)) throw error;
    faults.fault(error);
  };

/** Asks each file system at the first of its mount points that lets it. What hides them is no fault. */
function createAsked(host: Pick<Host, 'proc' | 'rootfs' | 'system'>): Asked {
  const mountPoints = openMountPoints(host);
  const asked = {
    version: 0,
    devices: new Map<string, readonly BtrfsDevice[]>(),
    tryRead: () => true,
    async ask(faults: Faults) {
      const before = [...asked.devices.keys()].join();
      asked.devices = new Map();
      try {
        for (const paths of mountPoints(faults))
          for (const path of paths) {
            const answer = await host.system.btrfsDevices(path).catch(toFault(faults));
            if (answer === undefined) continue;
            asked.devices.set(answer.uuid, answer.devices);
            break;
          }
      } finally {
        if ([...asked.devices.keys()].join() !== before) asked.version += 1;
      }
    },
  };
  return asked;
}

function writeDevices(uuid: string, devices: readonly BtrfsDevice[], out: Writer): void {
  for (const { name: device, uuid: deviceUuid, sizeBytes, allocatedBytes, errors } of devices) {
    out.sample(metrics.deviceSizeAsked, sizeBytes, uuid, device, deviceUuid);
    out.sample(metrics.deviceUnused, sizeBytes - allocatedBytes, uuid, device, deviceUuid);
    for (const [i, type] of BTRFS_ERRORS.entries())
      if (errors !== undefined) out.sample(metrics.deviceErrors, errors[i] as number, uuid, type, device, deviceUuid);
  }
}

function writeCommits(lines: Lines, uuid: string, out: LayoutWriter): void {
  lines.each((line) => {
    const value = line.uint(1);
    const [family, divisor = 1] = COMMITS.get(line.word(0)) ?? [];
    if (family !== undefined) out.sample(family, value.over(divisor), uuid);
  });
}

function writeGroup(group: Device, uuid: string, devices: number | undefined, out: LayoutWriter): void {
  out.sample(metrics.reserved, group.number('bytes_reserved'), uuid, group.id);
  for (const mode of group.list()) {
    // A profile is a folder; the others are files.
    if (mode.includes('_')) continue;
    const [total, used] = [group.number(`${mode}/total_bytes`), group.number(`${mode}/used_bytes`)];
    out.sample(metrics.used, used, uuid, group.id, mode);
    out.sample(metrics.size, total, uuid, group.id, mode);
    if ((total ?? used) !== undefined) out.sample(metrics.ratio, allocationRatio(mode, devices), uuid, group.id, mode);
  }
}

/** What sysfs says of a file system; of its devices only where nobody else says it. */
function writeFilesystem(filesystem: Device, isAsked: boolean, out: LayoutWriter): void {
  const { id, number, all } = filesystem;
  const uuid = filesystem.fixed('metadata_uuid') || id;
  const [names, devices] = [all(), all('devices')];
  if (names?.includes('label')) out.sample(metrics.info, 1, uuid, filesystem.word('label') ?? '');
  out.sample(metrics.globalReserve, number('allocation/global_rsv_size'), uuid);
  const commits = filesystem.lines('commit_stats');
  if (commits !== undefined) writeCommits(commits, uuid, out);
  // Older kernels do not count them.
  else if (names?.includes('commit_stats') === false)
    for (const [family] of COMMITS.values()) out.sample(family, 0, uuid);
  if (!isAsked)
    for (const name of devices ?? [])
      out.sample(metrics.deviceSize, number(`devices/${name}/size`)?.times(BYTES_OF_SECTOR), uuid, name);
  for (const type of GROUPS) writeGroup(filesystem.inside(`allocation/${type}`), uuid, devices?.length, out);
}

export default defineCollector({
  name: 'btrfs',
  help: 'Exposes how Btrfs file systems use their devices.',
  enabled: true,
  reads: [
    '/proc/1/mountinfo',
    '/proc/self/mountinfo',
    '/sys/fs/btrfs/<uuid>/label',
    '/sys/fs/btrfs/<uuid>/metadata_uuid',
    '/sys/fs/btrfs/<uuid>/commit_stats',
    '/sys/fs/btrfs/<uuid>/devices/<device>/size',
    '/sys/fs/btrfs/<uuid>/allocation/global_rsv_size',
    '/sys/fs/btrfs/<uuid>/allocation/<kind>/bytes_reserved',
    '/sys/fs/btrfs/<uuid>/allocation/<kind>/<profile>/{total_bytes,used_bytes}',
    'syscall:btrfs',
  ],
  flags: {},
  metrics,
  needs: (host) => ({ folders: openMountPoints(host)().flat() }),
  setup(host) {
    const { sys } = host;
    const folder = sys.folder(FOLDER);
    const asked = createAsked(host);
    /** What is asked only adds to what sysfs says. */
    const ask: Collect = (out) => {
      const ids = folder.tryNames().filter((name) => FILESYSTEM.test(name));
      if (ids.length === 0) return undefined;
      return asked.ask(out).finally(() => {
        for (const id of ids) {
          const devices = asked.devices.get(id);
          const uuid = sys.passing(`${FOLDER}/${id}/metadata_uuid`).tryText(out)?.trim() || id;
          if (devices !== undefined) writeDevices(uuid, devices, out);
        }
      });
    };
    const filesystems = sys.devices(
      FOLDER,
      FILESYSTEM,
      (filesystem, out) => writeFilesystem(filesystem, asked.devices.has(filesystem.id), out),
      { ifAbsent: nothing, beside: [asked] },
    );
    return [ask, filesystems];
  },
});
