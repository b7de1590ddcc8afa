import { hasErrno, isRefusal, NOTHING, optional, REFUSED } from '../core/errors.ts';
import type { Folder, Line, Lines, Tree } from '../core/host.ts';
import { NotYet } from '../core/not_yet.ts';
import { bytesOf, decodeName, decodeUtf8 } from '../core/utf8.ts';
import type { LayoutWriter } from '../core/writer.ts';
import { type ClockOptions, createClock, type SourceClock } from './clock.ts';
import { createDescriptors, type Descriptors } from './descriptors.ts';
import { createDevices, type DeviceContext } from './devices.ts';
import { type Disk, disk as systemDisk } from './disk.ts';
import { type FileContext, type FileTraits, readToEnd, TreeFile } from './file.ts';
import { createGuard } from './guard.ts';
import { createTable } from './table.ts';

/** Where bytes come from: trees of files that share a clock, descriptors and a buffer. */
export interface Source {
  readonly clock: SourceClock;
  readonly descriptors: Descriptors;
  openTree(root: string): Tree;
  /** Closes what is kept. */
  close(): void;
}

export interface SourceOptions extends Partial<ClockOptions> {
  /** The system by default. */
  readonly disk?: Disk;
  /** How many threads of the pool reads that hang may hold. */
  readonly hangingReads?: number;
  /** RLIMIT_NOFILE. */
  readonly openFiles?: number;
  /** Called once for each path that the system refuses to us. */
  readonly onRefused?: (path: string, error: unknown) => void;
}

/** A tree by itself, for what is read once. */
export const openTree = (root: string): Tree => createSource().openTree(root);

const OPEN_FILES = 1024;
const REFUSED_MAX = 256;
const HANGING_READS = 1;

export function createSource(options: SourceOptions = {}): Source {
  const { openFiles = OPEN_FILES, onRefused = () => {}, now = () => performance.now(), events } = options;
  const clock = createClock({ now, events });
  const { hangingReads = HANGING_READS } = options;
  const { disk = systemDisk } = options;
  const guard = createGuard({ disk, clock, now, callsMax: hangingReads });
  const refused = new Set<string>();
  const context: FileContext = {
    disk,
    guard,
    clock,
    now,
    descriptors: createDescriptors(openFiles, disk),
    scratch: { bytes: Buffer.allocUnsafeSlow(64 << 10) },
    onRefused(path, error) {
      if (refused.has(path) || refused.size >= REFUSED_MAX) return;
      refused.add(path);
      onRefused(path, error);
    },
  };
  const trees = new Map<string, Tree>();
  return {
    clock,
    descriptors: context.descriptors,
    // The same files for whoever asks: the program's own `/proc` is most often the one it reports on.
    openTree(root) {
      const tree = trees.get(root) ?? treeOf(root, context);
      trees.set(root, tree);
      return tree;
    },
    close: () => context.descriptors.giveBack(),
  };
}

// include/uapi/linux/magic.h
const PROC_SUPER_MAGIC = 0x9fa0;
const SYSFS_MAGIC = 0x62656572;

/** Files of procfs that come whole with the first read, by the kernel's `single_open`; so do all below `sys`. */
const WHOLE =
  /^(sys\/|pressure\/|(stat|meminfo|loadavg|uptime|softirqs|self\/stat|net\/(netstat|snmp6?|sockstat6?)|\d+\/(task\/\d+\/)?stat)$)/;

/**
 * Files of procfs whose records are short. The kernel puts as many into a page as fit there (`fs/seq_file.c`), so that there are
 * no more of them where there was room for one.
 */
const SHORT_RECORDS = /^(diskstats|buddyinfo|net\/(udp6?|softnet_stat|stat\/\w+))$/;
const ROOM_LEFT_BYTES = 3 << 10;

/** Classes whose attributes ask a device or its firmware, some over a slow bus. */
const ASKING = ['drm', 'fc_host', 'hwmon', 'infiniband', 'power_supply', 'thermal', 'watchdog'] as const;

const KEPT = { isKept: true } as const;

/** What is known of the files of a tree by the file system that it is. */
function traitsOf(magic: number | undefined, isTold: boolean) {
  const isProc = magic === PROC_SUPER_MAGIC;
  const isSys = magic === SYSFS_MAGIC;
  /** Network devices are reported to their own network only, and the tree may be another's. */
  const isToldOf = (relative: string): boolean => isTold && isSys && !relative.startsWith('class/net');
  const isKernel = isProc || isSys;
  const wholeBytes = (relative: string): number => {
    if (!isProc || WHOLE.test(relative)) return Number.POSITIVE_INFINITY;
    return SHORT_RECORDS.test(relative) ? ROOM_LEFT_BYTES : 0;
  };
  return {
    isKernel,
    isTold: isTold && isSys,
    isToldOf,
    isSettling: isTold || !isSys,
    wholeBytes,
    ofFile: (relative: string) => ({
      isKept: false,
      isLasting: false,
      isSettled: false,
      isKernel,
      isTimed: !isProc,
      // Files of procfs come with modules, which are reported as devices are.
      isTold: isToldOf(relative) || (isTold && isProc),
      wholeBytes: wholeBytes(relative),
    }),
  };
}

function treeOf(given: string, context: FileContext): Tree {
  // Flags are text. From here on the root is bytes, as all that is below it.
  const base = bytesOf(given.endsWith('/') ? given.slice(0, -1) : given);
  const path = (relative: string): string => (relative === '' ? base || '/' : `${base}/${relative}`);
  const magic = context.disk.magic(path(''));
  const { isKernel, isTold, isToldOf, isSettling, wholeBytes, ofFile } = traitsOf(magic, context.clock.isTold);
  if (magic === SYSFS_MAGIC) for (const name of ASKING) context.guard.distrust(path(`class/${name}`));
  const files = new Map<string, TreeFile>();
  const adopted = new Map<string, { fd: number }>();
  const fileAt = (relative: string, traits: Partial<FileTraits>, onClose = () => {}): TreeFile =>
    new TreeFile(path(relative), context, {
      ...ofFile(relative),
      ...traits,
      adopted: adopted.get(relative),
      onClose,
    });
  const shared = (relative: string, traits: Partial<FileTraits>): TreeFile => {
    const file = files.get(relative) ?? fileAt(relative, traits, () => void files.delete(relative));
    files.set(relative, file);
    return file;
  };
  const folders = new Map<string, Folder>();
  const { guard } = context;
  const readOnce = (relative: string): string => decodeUtf8(guard.readWhole(path(relative), !isKernel));
  const list = (relative: string): string[] => guard.list(path(relative)).sort();
  const textOf = (relative: string): string | undefined =>
    orNothing(path(relative), context, () =>
      (adopted.has(relative) ? shared(relative, {}).text() : readOnce(relative)).trim(),
    );
  const tree: Tree = {
    root: decodeName(path('')),
    path: (relative) => decodeName(path(relative)),
    file: (relative) => shared(relative, KEPT),
    lasting: (relative) => shared(relative, { ...KEPT, isLasting: true }),
    passing: (relative) => shared(relative, {}),
    settled: (relative) => shared(relative, { isSettled: isSettling }),
    folder(relative) {
      const traits = {
        list: () => list(relative),
        isThere: () => guard.isThere(path(relative)),
        isTold: isToldOf(relative),
      };
      const folder = folders.get(relative) ?? createFolder(traits, context.clock);
      folders.set(relative, folder);
      return folder;
    },
    table: (relative, layout, settings) => createTable(shared(relative, KEPT), layout, context.clock, settings),
    lineTable: (relative, layOut, settings) => tree.table(relative, eachLine(layOut), settings),
    devices: (folder, pattern, layout, settings) => createDevices(devices, folder, pattern, layout, settings),
    read: (relative) => shared(relative, KEPT).text(),
    readOnce,
    glance: (relative, look) => glance(path(relative), context, wholeBytes(relative), look),
    attribute: (relative) => optional(() => readOnce(relative).trim()),
    list,
    link: (relative) => guard.link(path(relative)),
    real: (relative) => guard.real(path(relative)),
    sizeBytes: (relative) => guard.sizeBytes(path(relative)),
    exists: (relative) => answerOf(path(relative), context, guard.isThere) ?? false,
    open: (relative) => context.descriptors.open(path(relative)),
    adopt: (relative, fd) => void adopted.set(relative, { fd }),
  };
  const devices: DeviceContext = {
    tree,
    clock: context.clock,
    attribute: (relative) => fileAt(relative, KEPT),
    textOf,
    onRefused: (relative, error) => context.onRefused(path(relative), error),
    isTold,
    identityOf: (relative) => answerOf(path(relative), context, guard.identity),
  };
  return tree;
}

/** What the system does not say of a path, whatever the reason, is not known. */
function answerOf<T>(path: string, { onRefused }: FileContext, ask: (path: string) => T): T | undefined {
  try {
    return ask(path);
  } catch (error) {
    if (!isRefusal(error)) throw error;
    if (!hasErrno(error)) onRefused(path, error);
    return undefined;
  }
}

/** What is absent, refused or without a value is nothing; what is refused is said once. */
function orNothing<T>(path: string, { onRefused }: FileContext, ask: () => T): T | undefined {
  try {
    return ask();
  } catch (error) {
    if (!hasErrno(error, NOTHING)) throw error;
    if (hasErrno(error, REFUSED)) onRefused(path, error);
    return undefined;
  }
}

interface FolderTraits {
  list(): string[];
  isThere(): boolean;
  /** Whether the kernel reports what comes and goes in it. */
  readonly isTold: boolean;
}

const eachLine =
  (layOut: (line: Line, out: LayoutWriter) => void) =>
  (lines: Lines, out: LayoutWriter): void =>
    lines.each((line) => layOut(line, out));

function glance<T>(
  path: string,
  context: FileContext,
  wholeBytes: number,
  look: (bytes: Buffer, length: number) => T,
): T {
  const { guard } = context;
  if (guard.isAway(path)) {
    const found = guard.readWhole(path);
    return look(found, found.length);
  }
  const fd = context.descriptors.open(path);
  try {
    const length = readToEnd(context, fd, path, wholeBytes);
    return look(context.scratch.bytes, length);
  } finally {
    context.descriptors.close(fd);
  }
}

/** Lists at every scrape, or where the kernel reports devices only when some came or went. */
function createFolder({ list, isThere, isTold }: FolderTraits, clock: SourceClock): Folder {
  let names: readonly string[] | undefined;
  let error: unknown;
  let listedAt = 0;
  const refresh = (): void => {
    try {
      // Asking whether it has come is cheaper than another error.
      if (names === undefined && hasErrno(error, ['ENOENT']) && !isThere()) return;
      const found = list();
      if (names === undefined || found.length !== names.length || found.some((name, i) => name !== names?.[i]))
        names = found;
      error = undefined;
    } catch (thrown) {
      if (thrown instanceof NotYet) throw thrown;
      names = undefined;
      error = thrown;
    }
  };
  const failure = (): unknown => {
    const now = isTold ? clock.look : clock.scrape;
    if (now === 0 || now > listedAt) {
      listedAt = now;
      try {
        refresh();
      } catch (waiting) {
        listedAt = -1;
        throw waiting;
      }
    }
    return names === undefined ? error : undefined;
  };
  return {
    failure,
    names() {
      failure();
      if (names === undefined) throw error;
      return names;
    },
    tryNames() {
      if (!hasErrno(failure(), NOTHING) && names === undefined) throw error;
      return names ?? [];
    },
  };
}
