import { withPath } from '../core/errors.ts';
import { type Mount, mayHang, parseMountinfo, unescapeMount } from '../parse/mountinfo.ts';
import { createCalls } from './calls.ts';
import type { SourceClock } from './clock.ts';
import type { AwayDisk, Disk } from './disk.ts';

/**
 * A disk on which nothing hangs. What is known to answer from memory (procfs, sysfs, local disks) is asked at once. What may take
 * for ever (a file of lxcfs, a tree on NFS, a sensor that was slow) is asked on a thread of the pool, and `NotYet` is thrown until
 * the answer is there. A source that does not answer in time is left alone until it does: it has one thread, and its files are
 * refused with a `DeadlineError`. Outside of scrapes nobody could wait, so everything is asked at once.
 */
export interface Guard
  extends Pick<Disk, 'readWhole' | 'list' | 'link' | 'real' | 'isThere' | 'sizeBytes' | 'identity'> {
  /** Whether a file is read off the thread. */
  isAway(path: string): boolean;
  /** Attributes below this folder ask hardware: each is read for the first time off the thread. */
  distrust(folder: string): void;
  /**
   * How long a read on this thread took. The files of a folder in which one is slow are read off the thread from then on.
   * Answers whether the next read is to be timed too.
   */
  took(path: string, ms: number): boolean;
}

export interface GuardOptions {
  readonly disk: Disk;
  readonly clock: SourceClock;
  /** Monotonic milliseconds. */
  readonly now: () => number;
  /** How many calls may be under way at once. */
  readonly callsMax: number;
}

/** A mount below which everything is asked off the thread; whole paths, one character per byte. */
interface Away {
  readonly mountPoint: string;
  /** What hangs as one: the file system. */
  readonly source: string;
}

/** A read of the kernel's memory takes microseconds. */
const SLOW_MS = 20;
/** Nobody waits so long for a processor. */
const SURELY_SLOW_MS = 500;
const SLOW_MAX = 256;
const TRIALS_MAX = 65_536;

/** File systems that are the kernel's own memory. */
const KERNEL = /^(proc|sysfs|cgroup2?|debugfs|tracefs|securityfs|bpf|pstore|efivarfs|configfs|mqueue|binfmt_misc)$/;

/** What may hang, and what was put into the kernel's trees from elsewhere. The root is where the program itself lies. */
export function awayMounts(mounts: readonly Mount[]): Away[] {
  const byId = new Map(mounts.map((mount) => [mount.id, mount]));
  const upper = new Map(mounts.map((mount) => [mount.mountPoint, mount]));
  return [...upper.values()]
    .filter(({ mountPoint, fsType, parentId }) => {
      if (mountPoint === '/') return false;
      const isPutIn = KERNEL.test(byId.get(parentId)?.fsType ?? '') && !KERNEL.test(fsType);
      return mayHang(fsType) || isPutIn;
    })
    .map(({ mountPoint, major, minor }) => ({
      mountPoint: unescapeMount(mountPoint),
      source: `${major}:${minor}`,
    }));
}

function readMounts(disk: Disk): Away[] {
  try {
    return awayMounts(parseMountinfo(disk.mounts()));
  } catch {
    // Hidden or odd: then there is nothing to know.
    return [];
  }
}

const folderOf = (path: string): string => path.slice(0, path.lastIndexOf('/'));

/** Which folders have files that were slow. */
function createSlowFolders() {
  const folders = new Set<string>();
  const suspects = new Set<string>();
  return {
    has: (path: string): boolean => folders.size > 0 && folders.has(folderOf(path)),
    took(path: string, ms: number): boolean {
      if (ms < SLOW_MS) return suspects.delete(path) && false;
      const isSure = ms >= SURELY_SLOW_MS || suspects.delete(path);
      if (isSure && folders.size < SLOW_MAX) folders.add(folderOf(path));
      // Once it may have been the processor that was slow.
      else if (suspects.size < SLOW_MAX) suspects.add(path);
      return !isSure;
    },
  };
}

const isBelow = (path: string, folder: string): boolean =>
  path.startsWith(folder) && (path.length === folder.length || path[folder.length] === '/');

/** Which attributes that ask hardware have answered soon. */
function createTrials(clock: SourceClock) {
  const folders: string[] = [];
  const passed = new Map<string, number>();
  const isDistrusted = (path: string): boolean => folders.some((folder) => path.startsWith(folder));
  return {
    isDistrusted,
    distrust: (folder: string): void => void folders.push(`${folder}/`),
    /** In the scrape of its trial an attribute is not read again: that answer serves. */
    isDue: (path: string): boolean => isDistrusted(path) && (passed.get(path) ?? clock.scrape) >= clock.scrape,
    pass(path: string): void {
      if (passed.size >= TRIALS_MAX) passed.clear();
      passed.set(path, clock.scrape);
    },
  };
}

export function createGuard({ disk, clock, now, callsMax }: GuardOptions): Guard {
  const slow = createSlowFolders();
  const trials = createTrials(clock);
  const onRead = (path: string, ms: number): void => {
    if (!trials.isDistrusted(path) || slow.has(path)) return;
    const isToBeTried = slow.took(path, ms);
    if (!isToBeTried && !slow.has(path)) trials.pass(path);
  };
  const ask = createCalls({ away: () => disk.away, clock, now, callsMax, onRead });
  let mounts: readonly Away[] = [];
  let look = -1;

  /** What hangs as one with a path; `undefined` where nothing hangs, and where nobody could wait. */
  const sourceOf = (path: string, isRead: boolean): string | undefined => {
    if (clock.scrape === 0) return undefined;
    if (clock.lookOf(0) > look) {
      look = clock.lookOf(0);
      mounts = readMounts(disk);
    }
    for (const { mountPoint, source } of mounts) if (isBelow(path, mountPoint)) return source;
    return slow.has(path) || (isRead && trials.isDue(path)) ? folderOf(path) : undefined;
  };

  const guarded =
    <T>(name: keyof AwayDisk, askNow: (path: string) => T) =>
    (path: string): T => {
      const source = sourceOf(path, name === 'readWhole');
      try {
        return source === undefined ? askNow(path) : (ask(source, name, path) as T);
      } catch (error) {
        throw withPath(error, path);
      }
    };

  const readWhole = guarded('readWhole', (path) => disk.readWhole(path));
  const readChecked = guarded('readWhole', (path) => disk.readWhole(path, true));
  return {
    isAway: (path) => sourceOf(path, true) !== undefined,
    distrust: trials.distrust,
    took: slow.took,
    readWhole: (path, isChecked = false) => (isChecked ? readChecked(path) : readWhole(path)),
    list: guarded('list', (path) => disk.list(path)),
    link: guarded('link', (path) => disk.link(path)),
    real: guarded('real', (path) => disk.real(path)),
    isThere: guarded('isThere', (path) => disk.isThere(path)),
    sizeBytes: guarded('sizeBytes', (path) => disk.sizeBytes(path)),
    identity: guarded('identity', (path) => disk.identity(path)),
  };
}
