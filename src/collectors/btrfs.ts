import { defineCollector, type Host, type Turn } from '../core/collector.ts';
import { eachDevice, uintAttribute } from '../core/devices.ts';
import { optional, ParseError } from '../core/errors.ts';
import type { Tree } from '../core/host.ts';
import { counter, gauge } from '../core/metric.ts';
import { fields, lines, uint } from '../core/text.ts';
import type { Writer } from '../core/writer.ts';
import { parseMountinfo, unescapeMount } from '../parse/mountinfo.ts';
import { askMountPoint, BTRFS_ERRORS, type BtrfsDevice } from '../syscall/btrfs.ts';

const FOLDER = 'fs/btrfs';
const BYTES_OF_SECTOR = 512;
const MS_PER_SECOND = 1000;
const GROUPS = ['data', 'metadata', 'system'] as const;

export interface CommitStats {
  readonly commits: number;
  readonly lastMs: number;
  readonly maxMs: number;
  readonly totalMs: number;
}

/** Parses `/sys/fs/btrfs/<uuid>/commit_stats` of Linux 6.1 and later. https://btrfs.readthedocs.io/en/latest/ch-sysfs.html */
export function parseCommitStats(text: string): CommitStats {
  const values = new Map<string, number>();
  for (const line of lines(text)) {
    const [name = '', word] = fields(line);
    const value = uint(word);
    if (value === undefined) throw new ParseError('commit_stats', line);
    values.set(name, value);
  }
  const of = (name: string): number => {
    const value = values.get(name);
    if (value === undefined) throw new ParseError('commit_stats', text);
    return value;
  };
  return {
    commits: of('commits'),
    lastMs: of('last_commit_ms'),
    maxMs: of('max_commit_ms'),
    totalMs: of('total_commit_ms'),
  };
}

const NO_COMMITS: CommitStats = { commits: 0, lastMs: 0, maxMs: 0, totalMs: 0 };
const COPIES: Readonly<Record<string, number>> = {
  single: 1,
  raid0: 1,
  dup: 2,
  raid1: 2,
  raid10: 2,
  raid1c3: 3,
  raid1c4: 4,
};

/** How much of the disks a byte takes in a profile; 0 where the profile is not known. */
export function allocationRatio(profile: string, devices: number): number {
  if (profile === 'raid5') return devices / (devices - 1);
  if (profile === 'raid6') return devices / (devices - 2);
  return Object.hasOwn(COPIES, profile) ? (COPIES[profile] as number) : 0;
}

interface BlockGroup {
  readonly type: (typeof GROUPS)[number];
  readonly reserved: number | undefined;
  readonly profiles: readonly { readonly mode: string; readonly total: number; readonly used: number }[];
}

function readGroup(sys: Tree, type: BlockGroup['type'], path: string): BlockGroup | undefined {
  const names = optional(() => sys.list(path));
  if (names === undefined) return undefined;
  const profiles = names.flatMap((mode) => {
    // Only the folder of a profile has files of these names in it.
    const [total, used] = [
      uintAttribute(sys, `${path}/${mode}/total_bytes`),
      uintAttribute(sys, `${path}/${mode}/used_bytes`),
    ];
    return total === undefined || used === undefined ? [] : [{ mode, total, used }];
  });
  return { type, reserved: uintAttribute(sys, `${path}/bytes_reserved`), profiles };
}

function readFilesystem(sys: Tree, id: string) {
  const path = `${FOLDER}/${id}`;
  const commitStats = optional(() => sys.readOnce(`${path}/commit_stats`));
  const devices = (optional(() => sys.list(`${path}/devices`)) ?? []).map((name) => ({
    name,
    sectors: uintAttribute(sys, `${path}/devices/${name}/size`),
  }));
  return {
    uuid: sys.attribute(`${path}/metadata_uuid`) || id,
    label: sys.attribute(`${path}/label`),
    globalReserve: uintAttribute(sys, `${path}/allocation/global_rsv_size`),
    commits: commitStats === undefined ? NO_COMMITS : parseCommitStats(commitStats),
    devices,
    groups: GROUPS.flatMap((type) => readGroup(sys, type, `${path}/allocation/${type}`) ?? []),
  };
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

/**
 * Where Btrfs is mounted, by the number of its device: bytes, one per character (latin1), under `--path.rootfs`. As in
 * `/proc/1/mountinfo`, or this process's own where that is hidden.
 */
function mountPoints(proc: Tree, rootfs: string): Map<string, string[]> {
  const text =
    optional(() => proc.readOnce('1/mountinfo'), CLOSED) ??
    optional(() => proc.readOnce('self/mountinfo'), CLOSED) ??
    '';
  const found = new Map<string, string[]>();
  for (const { fsType, major, minor, mountPoint } of parseMountinfo(text)) {
    if (fsType !== 'btrfs') continue;
    const device = `${major}:${minor}`;
    const path = `${rootfs === '/' ? '' : rootfs}${unescapeMount(mountPoint)}`;
    found.set(device, [...(found.get(device) ?? []), Buffer.from(path).toString('latin1')]);
  }
  return found;
}

const CLOSED = ['ENOENT', 'EACCES', 'EPERM'] as const;

type Asked = Map<string, readonly BtrfsDevice[]>;

/** Asks each file system at the first of its mount points that lets it, and puts its devices into `asked` by its UUID. */
async function askAll(
  { proc, rootfs }: Pick<Host, 'proc' | 'rootfs'>,
  ask: typeof askMountPoint,
  asked: Asked,
): Promise<void> {
  for (const paths of mountPoints(proc, rootfs).values())
    for (const path of paths) {
      const answer = await ask(path);
      if (answer === undefined) continue;
      asked.set(answer.uuid, answer.devices);
      break;
    }
}

function writeDevices(uuid: string, devices: readonly BtrfsDevice[], out: Writer): void {
  for (const { name: device, uuid: deviceUuid, sizeBytes, allocatedBytes, errors } of devices) {
    out.sample(metrics.deviceSizeAsked, sizeBytes, uuid, device, deviceUuid);
    out.sample(metrics.deviceUnused, sizeBytes - allocatedBytes, uuid, device, deviceUuid);
    for (const [i, type] of BTRFS_ERRORS.entries())
      if (errors !== undefined) out.sample(metrics.deviceErrors, errors[i] as number, uuid, type, device, deviceUuid);
  }
}

/** `ask` asks the file system at a mount point for its devices. */
export const btrfs = (ask: typeof askMountPoint) =>
  defineCollector({
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
    ],
    flags: {},
    metrics,
    setup(host) {
      const { sys } = host;
      const folder = sys.folder(FOLDER);
      const write = async (ids: readonly string[], out: Writer, turn: Turn): Promise<void> => {
        const asked: Asked = new Map();
        // What is asked only adds to what sysfs says: its failure comes last.
        const [asking] = await Promise.allSettled(ids.length === 0 ? [] : [askAll(host, ask, asked)]);
        await eachDevice(ids, turn, (id) => {
          const { uuid, label, globalReserve, commits, devices, groups } = readFilesystem(sys, id);
          if (label !== undefined) out.sample(metrics.info, 1, uuid, label);
          if (globalReserve !== undefined) out.sample(metrics.globalReserve, globalReserve, uuid);
          out.sample(metrics.commits, commits.commits, uuid);
          out.sample(metrics.lastCommit, commits.lastMs / MS_PER_SECOND, uuid);
          out.sample(metrics.maxCommit, commits.maxMs / MS_PER_SECOND, uuid);
          out.sample(metrics.commitTime, commits.totalMs / MS_PER_SECOND, uuid);
          const known = asked.get(id);
          if (known !== undefined) writeDevices(uuid, known, out);
          else
            for (const { name, sectors } of devices)
              if (sectors !== undefined) out.sample(metrics.deviceSize, sectors * BYTES_OF_SECTOR, uuid, name);
          for (const { type, reserved, profiles } of groups) {
            if (reserved !== undefined) out.sample(metrics.reserved, reserved, uuid, type);
            for (const { mode, total, used } of profiles) {
              out.sample(metrics.used, used, uuid, type, mode);
              out.sample(metrics.size, total, uuid, type, mode);
              out.sample(metrics.ratio, allocationRatio(mode, devices.length), uuid, type, mode);
            }
          }
        });
        if (asking?.status === 'rejected') throw asking.reason;
      };
      return (out, turn) => {
        const ids = (optional(() => folder.names()) ?? []).filter((name) => name.includes('-'));
        return ids.length === 0 ? undefined : write(ids, out, turn);
      };
    },
  });

export default btrfs(askMountPoint);
