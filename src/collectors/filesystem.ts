import { defineCollector } from '../core/collector.ts';
import { eachOf } from '../core/each.ts';
import { type Faults, unsaid } from '../core/faults.ts';
import { createFilter } from '../core/filter.ts';
import { flag } from '../core/flag.ts';
import type { KernelFile, Tree } from '../core/host.ts';
import { gauge } from '../core/metric.ts';
import type { AskedMount, StatfsAnswer } from '../core/system.ts';
import { bytesOf, decodeName } from '../core/utf8.ts';
import type { Writer } from '../core/writer.ts';
import { type Mount, mayHang, parseMountinfo, parseMountOptions, unescapeMount } from '../parse/mountinfo.ts';

const PREFIX = 'collector.filesystem.';
/** What is left is for telling the answers. */
const OF_TIME_LEFT = 0.95;
const LABELS = ['device', 'mountpoint', 'fstype', 'device_error'] as const;

/** A mount, as it is shown. */
export interface ShownMount {
  readonly device: string;
  readonly mountPoint: string;
  readonly fsType: string;
  readonly major: string;
  readonly minor: string;
  /** What `st_dev` is there if it is this mount that is there; `undefined` where that does not tell. */
  readonly deviceNumber: number | undefined;
  readonly readonly: boolean;
  /** Where statfs finds it, under `--path.rootfs`. Bytes, one per character (latin1). */
  readonly path: string;
}

/** A mount point as seen under `rootfs`: the same where it is not under it. */
export function stripRootfs(mountPoint: string, rootfs: string): string {
  if (rootfs === '/' || mountPoint === rootfs) return rootfs === '/' ? mountPoint : '/';
  return mountPoint.startsWith(`${rootfs}/`) ? mountPoint.slice(rootfs.length) : mountPoint;
}

/** Major and minor number as `st_dev` holds them: makedev(3). */
export const deviceNumberOf = (major: number, minor: number): number =>
  (minor % 0x100) +
  (major % 0x1000) * 2 ** 8 +
  Math.floor(minor / 0x100) * 2 ** 20 +
  Math.floor(major / 0x1000) * 2 ** 44;

const hasOption = (options: string, name: string): boolean =>
  options.split(',').some((option) => option === name || option.startsWith(`${name}=`));

/** What is shown of a mount. A mount point's label has blanks and tabs as they are; other escapes stay as the kernel wrote them. */
function showMount(mount: Mount, rootfs: string): ShownMount {
  const { options, superOptions } = mount;
  const label = mount.mountPoint.replaceAll('\\040', ' ').replaceAll('\\011', '\t');
  const whole = stripRootfs(unescapeMount(mount.mountPoint), bytesOf(rootfs));
  return {
    device: decodeName(mount.source),
    mountPoint: stripRootfs(decodeName(label), rootfs),
    fsType: decodeName(mount.fsType),
    major: String(mount.major),
    minor: String(mount.minor),
    // Each subvolume of btrfs has a number of its own.
    deviceNumber: mount.fsType === 'btrfs' ? undefined : deviceNumberOf(mount.major, mount.minor),
    readonly: hasOption(options, 'ro') || hasOption(superOptions, 'ro') || hasOption(superOptions, 'emergency_ro'),
    path: rootfs === '/' ? whole : `${bytesOf(rootfs)}${whole}`,
  };
}

/**
 * Without the mounts that another stands on, at the same place: what is asked there is the upper one, and its numbers are not
 * those of the lower.
 */
function uncovered(mounts: readonly Mount[]): Mount[] {
  const byId = new Map(mounts.map((mount) => [mount.id, mount]));
  const covered = new Set<Mount>();
  for (const mount of mounts) {
    const below = byId.get(mount.parentId);
    if (below !== undefined && below !== mount && below.mountPoint === mount.mountPoint) covered.add(below);
  }
  return mounts.filter((mount) => !covered.has(mount));
}

/** One of those that would be the same series: the last, which is the one mounted last. */
const distinct = (mounts: readonly ShownMount[]): Iterable<ShownMount> =>
  new Map(mounts.map((mount) => [[mount.device, mount.mountPoint, mount.fsType].join('\0'), mount])).values();

/**
 * The mounts of process 1 or, where it is hidden or refused, of this process; one character per byte. Not kept open: the
 * descriptor would hold on to a root that is left behind by a change of root.
 */
function openMountinfo(proc: Tree): (faults: Faults) => KernelFile {
  const [first, own] = [proc.passing('1/mountinfo'), proc.passing('self/mountinfo')];
  return (faults) => {
    if (first.tryRead(faults) && first.length > 0) return first;
    own.read();
    return own;
  };
}

/** File systems that answer from memory, unless what they stand on hangs. */
const QUICK = new Set([
  'ext2',
  'ext3',
  'ext4',
  'xfs',
  'tmpfs',
  'ramfs',
  'devtmpfs',
  'rootfs',
  'squashfs',
  'erofs',
  'efivarfs',
  'overlay',
]);

const isOnTheWay = (mountPoint: string, path: string): boolean =>
  path === mountPoint || mountPoint === '/' || path.startsWith(`${mountPoint}/`);

/** The folders that an overlay shows as one; it asks the upper one for its size. */
function layersOf({ fsType, superOptions }: Mount): string[] {
  if (fsType !== 'overlay') return [];
  const options = parseMountOptions(superOptions);
  return `${options.get('upperdir') ?? ''}:${options.get('lowerdir') ?? ''}`.split(':').map(unescapeMount);
}

/** The paths such that neither they nor a mount on the way to them, nor what an overlay stands on, is one of those that `isSlow` names. */
function pathsWithout(
  isSlow: (fsType: string) => boolean,
  mounts: readonly Mount[],
  shown: readonly ShownMount[],
  rootfs: string,
): Set<string> {
  const slow = mounts.filter(({ fsType }) => isSlow(fsType)).map(({ mountPoint }) => unescapeMount(mountPoint));
  const onSlow = mounts
    .filter((mount) => layersOf(mount).some((layer) => slow.some((each) => isOnTheWay(each, layer))))
    .map(({ mountPoint }) => unescapeMount(mountPoint));
  const points = [...slow, ...onSlow]
    .map((mountPoint) => stripRootfs(mountPoint, rootfs))
    .map((mountPoint) => (rootfs === '/' ? mountPoint : `${rootfs}${mountPoint}`));
  return new Set(
    shown.map(({ path }) => path).filter((path) => !points.some((mountPoint) => isOnTheWay(mountPoint, path))),
  );
}

/** The paths that can be asked at once: they and all that stands on the way to them are quick. */
const quickPaths = (mounts: readonly Mount[], shown: readonly ShownMount[], rootfs: string): Set<string> =>
  pathsWithout((fsType) => !QUICK.has(fsType), mounts, shown, rootfs);

/** The mounts to ask off the thread. */
function slowMounts(
  mounts: readonly Mount[],
  shown: readonly ShownMount[],
  rootfs: string,
  quick: ReadonlySet<string>,
): AskedMount[] {
  const asked = shown.filter(({ path }) => !quick.has(path));
  const local = asked.length === 0 ? new Set() : pathsWithout(mayHang, mounts, asked, rootfs);
  return asked.map(({ path, major, minor }) => ({ path, device: `${major}:${minor}`, isLocal: local.has(path) }));
}

type Included = Parameters<typeof createFilter>[0]['include'];
type Names = 'Include' | 'Exclude' | 'Old';

/** Which mounts are wanted, by the flags. */
function createWants(
  flags: Readonly<Record<`mountPoints${Names}` | `fsTypes${Names}`, Included>>,
  isGiven: (flag: 'mountPointsExclude' | 'fsTypesExclude') => boolean,
): (mount: ShownMount) => boolean {
  const wantsMountPoint = createFilter({
    include: flags.mountPointsInclude,
    exclude: flags.mountPointsExclude,
    excludeGiven: isGiven('mountPointsExclude'),
    old: flags.mountPointsOld,
    names: [`${PREFIX}mount-points-include`, `${PREFIX}mount-points-exclude`, `${PREFIX}ignored-mount-points`],
  });
  const wantsFsType = createFilter({
    include: flags.fsTypesInclude,
    exclude: flags.fsTypesExclude,
    excludeGiven: isGiven('fsTypesExclude'),
    old: flags.fsTypesOld,
    names: [`${PREFIX}fs-types-include`, `${PREFIX}fs-types-exclude`, `${PREFIX}ignored-fs-types`],
  });
  return ({ mountPoint, fsType }) => wantsMountPoint(mountPoint) && wantsFsType(fsType);
}

/** A mount of the host that is not propagated into our namespace: what is at its path is what it would be mounted on. */
const OTHER = 'another file system is at this path';

/** Each subvolume of btrfs has a number of its own: there the kind of file system has to do. include/uapi/linux/magic.h */
const BTRFS_SUPER_MAGIC = 0x9123683e;

function errorOf({ deviceNumber, fsType }: ShownMount, answer: StatfsAnswer): string {
  if ('refusal' in answer) return answer.refusal;
  const [expected, found] =
    fsType === 'btrfs' ? [BTRFS_SUPER_MAGIC, answer.magic] : [deviceNumber, answer.deviceNumber];
  const isOther = expected !== undefined && found !== undefined && found !== expected;
  return isOther ? OTHER : '';
}

export default defineCollector({
  name: 'filesystem',
  help: 'Exposes the sizes of mounted file systems. One that hangs delays neither the others nor the rest of a scrape.',
  enabled: true,
  reads: ['/proc/1/mountinfo', '/proc/self/mountinfo', 'syscall:statfs', 'syscall:stat'],
  flags: {
    mountPointsExclude: flag.regexp(
      `${PREFIX}mount-points-exclude`,
      'Mount points to leave out (RE2). Excludes mount-points-include.',
      '^/(dev|proc|run/credentials/.+|sys|var/lib/docker/.+|var/lib/containers/storage/.+)($|/)',
    ),
    mountPointsInclude: flag.regexp(
      `${PREFIX}mount-points-include`,
      'Mount points to take, and no others (RE2). Excludes mount-points-exclude.',
    ),
    mountPointsOld: flag.regexp(`${PREFIX}ignored-mount-points`, 'Mount points to leave out (RE2).', '', {
      hidden: true,
      deprecated: `${PREFIX}mount-points-exclude`,
    }),
    fsTypesExclude: flag.regexp(
      `${PREFIX}fs-types-exclude`,
      'Types of file systems to leave out (RE2). Excludes fs-types-include.',
      '^(autofs|binfmt_misc|bpf|cgroup2?|configfs|debugfs|devpts|devtmpfs|fusectl|hugetlbfs|iso9660|mqueue|nsfs|overlay|proc|procfs|pstore|rpc_pipefs|securityfs|selinuxfs|squashfs|erofs|sysfs|tracefs)$',
    ),
    fsTypesInclude: flag.regexp(
      `${PREFIX}fs-types-include`,
      'Types of file systems to take, and no others (RE2). Excludes fs-types-exclude.',
    ),
    fsTypesOld: flag.regexp(`${PREFIX}ignored-fs-types`, 'Types of file systems to leave out (RE2).', '', {
      hidden: true,
      deprecated: `${PREFIX}fs-types-exclude`,
    }),
    mountTimeoutMs: flag.duration(
      `${PREFIX}mount-timeout`,
      'How long a mount may take to answer before it counts as hanging. Never longer than the collector itself may take.',
      '5s',
      { hidden: true },
    ),
    statWorkers: flag.int(
      `${PREFIX}stat-workers`,
      'How many mounts are asked at a time. Those that are slow to answer do not count.',
      4,
      { hidden: true },
    ),
  },
  metrics: {
    deviceError: gauge('node_filesystem_device_error', 'Whether the file system gave no size (1).', ...LABELS),
    readonly: gauge('node_filesystem_readonly', 'Whether the file system is mounted read-only (1).', ...LABELS),
    size: gauge('node_filesystem_size_bytes', 'Size of the file system.', ...LABELS),
    free: gauge('node_filesystem_free_bytes', 'Free space, with what is reserved for root.', ...LABELS),
    avail: gauge('node_filesystem_avail_bytes', 'Free space for users without privileges.', ...LABELS),
    files: gauge('node_filesystem_files', 'Inodes, in use and free.', ...LABELS),
    filesFree: gauge('node_filesystem_files_free', 'Free inodes.', ...LABELS),
    purgeable: gauge('node_filesystem_purgeable_bytes', 'Space that can be freed at need; 0 on Linux.', ...LABELS),
    info: gauge(
      'node_filesystem_mount_info',
      'The device numbers of a mount; always 1.',
      'device',
      'major',
      'minor',
      'mountpoint',
    ),
  },
  needs: ({ proc, rootfs, flags, isGiven }) => ({
    asksAbout() {
      const { bytes, length } = openMountinfo(proc)(unsaid);
      const mounts = parseMountinfo(bytes.toString('latin1', 0, length)).map((mount) => showMount(mount, rootfs));
      return mounts.filter(createWants(flags, isGiven)).map(({ path }) => path);
    },
  }),
  setup(host, metrics) {
    const { proc, system, flags, rootfs, isGiven } = host;
    const wants = createWants(flags, isGiven);
    const asker = system.createStatfsAsker({
      workers: Math.max(1, flags.statWorkers),
      timeoutMs: flags.mountTimeoutMs,
    });
    const mountinfo = openMountinfo(proc);
    // Mounts change seldom, and a machine may have thousands.
    let known: Known | undefined;
    const currentMounts = (out: Writer): Known => {
      const file = mountinfo(out);
      if (known !== undefined && known.file === file && known.version === file.version) return known;
      const faults: unknown[] = [];
      const all = parseMountinfo(file.bytes.toString('latin1', 0, file.length), (fault) => void faults.push(fault));
      const shown = uncovered(all)
        .map((mount) => showMount(mount, rootfs))
        .filter(wants);
      const mounts = [...distinct(shown)];
      const bytes = bytesOf(rootfs);
      const quick = quickPaths(all, mounts, bytes);
      known = {
        file,
        version: file.version,
        faults,
        mounts,
        quick,
        slow: slowMounts(all, mounts, bytes, quick),
      };
      return known;
    };
    const write = (out: Writer, mount: ShownMount, answer: StatfsAnswer): void => {
      const { device, mountPoint, fsType, major, minor } = mount;
      const error = errorOf(mount, answer);
      out.sample(metrics.deviceError, error === '' ? 0 : 1, device, mountPoint, fsType, error);
      out.sample(metrics.readonly, mount.readonly ? 1 : 0, device, mountPoint, fsType, error);
      if ('refusal' in answer || error !== '') return;
      const { blockBytes, blocks, blocksFree, blocksAvailable, files, filesFree } = answer;
      out.sample(metrics.size, blocks * blockBytes, device, mountPoint, fsType, error);
      out.sample(metrics.free, blocksFree * blockBytes, device, mountPoint, fsType, error);
      out.sample(metrics.avail, blocksAvailable * blockBytes, device, mountPoint, fsType, error);
      out.sample(metrics.files, files, device, mountPoint, fsType, error);
      out.sample(metrics.filesFree, filesFree, device, mountPoint, fsType, error);
      out.sample(metrics.purgeable, 0, device, mountPoint, fsType, error);
      out.sample(metrics.info, 1, device, major, minor, mountPoint);
    };
    return (out, turn) => {
      const { faults, mounts, quick, slow } = currentMounts(out);
      for (const fault of faults) out.fault(fault);
      const writeAll = (answers: ReadonlyMap<string, StatfsAnswer> | undefined): void | Promise<void> =>
        eachOf(mounts, turn, (mount) => {
          const { path } = mount;
          write(out, mount, quick.has(path) ? system.statfs(path) : (answers?.get(path) as StatfsAnswer));
        });
      if (slow.length === 0) return writeAll(undefined);
      return asker.ask(slow, turn.leftMs() * OF_TIME_LEFT).then(writeAll);
    };
  },
});

/** What the mounts were when they were looked at last. */
interface Known {
  readonly file: KernelFile;
  readonly version: number;
  /** Lines that cannot be read. */
  readonly faults: readonly unknown[];
  readonly mounts: readonly ShownMount[];
  readonly quick: ReadonlySet<string>;
  readonly slow: readonly AskedMount[];
}
