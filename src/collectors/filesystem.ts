import { readFileSync } from 'node:fs';
import { defineCollector, type Host } from '../core/collector.ts';
import { optional } from '../core/errors.ts';
import { createFilter } from '../core/filter.ts';
import { flag } from '../core/flag.ts';
import type { KernelFs } from '../core/kernel_fs.ts';
import { gauge } from '../core/metric.ts';
import { type Mount, parseMountinfo, unescapeMount } from '../parse/mountinfo.ts';
import type { StatfsAnswer } from '../syscall/statfs.ts';
import { createStatfsAsker } from '../syscall/statfs_asker.ts';

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
  readonly readonly: boolean;
  /** Where statfs finds it, under `--path.rootfs`. Bytes, one per character (latin1). */
  readonly path: string;
}

/** Bytes that are not UTF-8 show as one U+FFFD for each run of them. `latin1` holds one byte per character. */
function shown(latin1: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: whatever is ASCII is the same in both.
  if (/^[\x00-\x7f]*$/.test(latin1)) return latin1;
  return Buffer.from(latin1, 'latin1')
    .toString('utf8')
    .replace(/\ufffd+/g, '\ufffd');
}

/** A mount point as seen under `rootfs`: the same where it is not under it. */
export function stripRootfs(mountPoint: string, rootfs: string): string {
  if (rootfs === '/' || mountPoint === rootfs) return rootfs === '/' ? mountPoint : '/';
  return mountPoint.startsWith(`${rootfs}/`) ? mountPoint.slice(rootfs.length) : mountPoint;
}

const hasOption = (options: string, name: string): boolean =>
  options.split(',').some((option) => option === name || option.startsWith(`${name}=`));

/** What is shown of a mount. A mount point's label has blanks and tabs as they are; other escapes stay as the kernel wrote them. */
function showMount(mount: Mount, rootfs: string): ShownMount {
  const { options, superOptions } = mount;
  const label = mount.mountPoint.replaceAll('\\040', ' ').replaceAll('\\011', '\t');
  const whole = stripRootfs(unescapeMount(mount.mountPoint), Buffer.from(rootfs).toString('latin1'));
  return {
    device: shown(mount.source),
    mountPoint: stripRootfs(shown(label), rootfs),
    fsType: shown(mount.fsType),
    major: String(mount.major),
    minor: String(mount.minor),
    readonly: hasOption(options, 'ro') || hasOption(superOptions, 'ro') || hasOption(superOptions, 'emergency_ro'),
    path: rootfs === '/' ? whole : `${Buffer.from(rootfs).toString('latin1')}${whole}`,
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

/** The mounts of process 1 or, where it is hidden, of this process: `/proc/<pid>/mountinfo`, one character per byte. */
function readMountinfo(proc: KernelFs): string {
  // Not kept open: the descriptor would hold on to a root that is left behind by a change of root.
  const read = (path: string): string => {
    const text = proc.readOnce(path);
    return text.includes('\ufffd') ? readFileSync(proc.path(path), 'latin1') : Buffer.from(text).toString('latin1');
  };
  return optional(() => read('1/mountinfo'), ['ENOENT']) ?? read('self/mountinfo');
}

const flags = {
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
} as const;

/** Which mounts are wanted, by the flags. */
function createTakes({ flags: values, isGiven }: Host<typeof flags>): (mount: ShownMount) => boolean {
  const takesMountPoint = createFilter({
    include: values.mountPointsInclude,
    exclude: values.mountPointsExclude,
    excludeGiven: isGiven('mountPointsExclude'),
    old: values.mountPointsOld,
    names: [`${PREFIX}mount-points-include`, `${PREFIX}mount-points-exclude`, `${PREFIX}ignored-mount-points`],
  });
  const takesFsType = createFilter({
    include: values.fsTypesInclude,
    exclude: values.fsTypesExclude,
    excludeGiven: isGiven('fsTypesExclude'),
    old: values.fsTypesOld,
    names: [`${PREFIX}fs-types-include`, `${PREFIX}fs-types-exclude`, `${PREFIX}ignored-fs-types`],
  });
  return ({ mountPoint, fsType }) => takesMountPoint(mountPoint) && takesFsType(fsType);
}

function shownMounts(mountinfo: string, rootfs: string, takes: (mount: ShownMount) => boolean): ShownMount[] {
  const mounts = uncovered(parseMountinfo(mountinfo)).map((mount) => showMount(mount, rootfs));
  return [...distinct(mounts.filter(takes))];
}

export default defineCollector({
  name: 'filesystem',
  help: 'Exposes the sizes of mounted file systems. One that hangs delays neither the others nor the rest of a scrape.',
  enabled: true,
  reads: ['/proc/1/mountinfo', '/proc/self/mountinfo'],
  flags,
  metrics: {
    deviceError: gauge('node_filesystem_device_error', 'Whether the file system did not tell its size (1).', ...LABELS),
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
  needs: (host) => ({
    asksAbout: () => shownMounts(readMountinfo(host.proc), host.rootfs, createTakes(host)).map(({ path }) => path),
  }),
  setup(host, metrics) {
    const { proc, flags: values, rootfs } = host;
    const takes = createTakes(host);
    const asker = createStatfsAsker({ workers: Math.max(1, values.statWorkers), timeoutMs: values.mountTimeoutMs });
    // Mounts change seldom, and a machine may have thousands.
    let before: { readonly text: string; readonly mounts: readonly ShownMount[] } | undefined;
    const currentMounts = (): readonly ShownMount[] => {
      const text = readMountinfo(proc);
      if (before?.text !== text) {
        before = { text, mounts: shownMounts(text, rootfs, takes) };
      }
      return before.mounts;
    };
    return async (out, turn) => {
      const mounts = currentMounts();
      const answers = await asker.ask(
        mounts.map(({ path }) => path),
        turn.leftMs() * OF_TIME_LEFT,
      );
      for (const { device, mountPoint, fsType, major, minor, readonly, path } of mounts) {
        await turn.pause();
        const answer = answers.get(path) as StatfsAnswer;
        const error = 'refusal' in answer ? answer.refusal : '';
        const told = (metric: typeof metrics.size, value: number): void =>
          out.sample(metric, value, device, mountPoint, fsType, error);
        told(metrics.deviceError, error === '' ? 0 : 1);
        told(metrics.readonly, readonly ? 1 : 0);
        if ('refusal' in answer) continue;
        const { blockBytes, blocks, blocksFree, blocksAvailable, files, filesFree } = answer;
        told(metrics.size, blocks * blockBytes);
        told(metrics.free, blocksFree * blockBytes);
        told(metrics.avail, blocksAvailable * blockBytes);
        told(metrics.files, files);
        told(metrics.filesFree, filesFree);
        told(metrics.purgeable, 0);
        out.sample(metrics.info, 1, device, major, minor, mountPoint);
      }
    };
  },
});
