import { closeSync, openSync, readdirSync, readlinkSync, readSync, realpathSync, statSync } from 'node:fs';
import { hasErrno, LimitError, optional } from './errors.ts';

/**
 * A kernel file tree (`/proc`, `/sys`) under a root that flags or tests may move. Reads are synchronous: they never reach
 * a disk. Paths are relative to the root. What the kernel refuses is thrown as Node's error with its errno name in `code`;
 * `optional` turns absence into `undefined`.
 */
export interface KernelFs {
  readonly root: string;
  /** The whole path, for messages and for labels that show it. */
  path(relative: string): string;
  /** Reads a file that is there for good, through a descriptor that is kept open between scrapes. */
  read(path: string): string;
  /** Reads a file of something that comes and goes (a device, a process): open, read, close. */
  readOnce(path: string): string;
  /** A one-value file of a device, without the blanks around it; `undefined` where the file is absent. */
  attribute(path: string): string | undefined;
  /** The attributes of a thing that stays the same for many scrapes, through descriptors that are kept until `close`. */
  keep(folder: string): KeptFolder;
  /** The names in a folder, sorted by bytes. */
  list(path: string): string[];
  /** Where a symbolic link points, as it is written. */
  link(path: string): string;
  /** A path without symbolic links. */
  real(path: string): string;
  exists(path: string): boolean;
  /** Closes what is kept. */
  close(): void;
}

/** A folder of attributes, for whoever knows how long it is the same thing's: a name may pass to another device. */
export interface KeptFolder {
  /** As `KernelFs.attribute`. What was absent once is not looked for again. */
  attribute(name: string): string | undefined;
  close(): void;
}

/** Of one tree; each descriptor of sysfs holds a page of the kernel's memory once it was read. */
const KEPT_MAX = 512;
const FILE_BYTES_MAX = 64 << 20;

/** One buffer for every read in the process: reads are synchronous and end in a string. It grows and is never given back. */
let buffer = Buffer.allocUnsafe(64 << 10);

function readAll(fd: number, path: string): string {
  let length = 0;
  for (;;) {
    const count = readSync(fd, buffer, length, buffer.length - length, length);
    length += count;
    // The kernel's sequence files give what fits, whole records only: just an empty read means the end.
    if (count === 0) return buffer.toString('utf8', 0, length);
    if (length < buffer.length) continue;
    if (buffer.length >= FILE_BYTES_MAX) throw new LimitError(`${path}: longer than ${FILE_BYTES_MAX} bytes`);
    const larger = Buffer.allocUnsafe(buffer.length * 2);
    buffer.copy(larger, 0, 0, length);
    buffer = larger;
  }
}

const isThere = (path: string): boolean => statSync(path, { throwIfNoEntry: false }) !== undefined;

function readClosing(path: string): string {
  const fd = openSync(path, 'r');
  try {
    return readAll(fd, path);
  } finally {
    closeSync(fd);
  }
}

/** Reads a file that comes whole with the first read, as every attribute of sysfs and sysctl does: one system call less. */
function readAttribute(path: string): string {
  const fd = openSync(path, 'r');
  try {
    return buffer.toString('utf8', 0, readSync(fd, buffer, 0, buffer.length, 0));
  } finally {
    closeSync(fd);
  }
}

/** How many descriptors a tree may still keep. Who comes first keeps his: taking turns would keep nobody's. */
interface Room {
  left: number;
}

/** Descriptors by path. */
function keptReader(room: Room): { read(path: string): string; close(): void } {
  const kept = new Map<string, number>();
  const drop = (path: string, fd: number): void => {
    kept.delete(path);
    closeSync(fd);
    room.left += 1;
  };
  const readKeeping = (path: string): string => {
    const fd = openSync(path, 'r');
    try {
      const text = readAll(fd, path);
      kept.set(path, fd);
      room.left -= 1;
      return text;
    } catch (error) {
      closeSync(fd);
      throw error;
    }
  };
  /** What the kernel said of files that are not there: asking whether they have come is cheaper than another error. */
  const absent = new Map<string, unknown>();
  const readNew = (path: string): string => {
    const refusal = absent.get(path);
    if (refusal !== undefined && !isThere(path)) throw refusal;
    try {
      const text = room.left > 0 ? readKeeping(path) : readClosing(path);
      absent.delete(path);
      return text;
    } catch (error) {
      if (hasErrno(error, ['ENOENT']) && absent.size < KEPT_MAX) absent.set(path, error);
      throw error;
    }
  };
  return {
    read(path) {
      const before = kept.get(path);
      if (before === undefined) return readNew(path);
      try {
        return readAll(before, path);
      } catch (error) {
        // The thing behind the descriptor is gone. Something may be at its path again.
        drop(path, before);
        if (!hasErrno(error)) throw error;
        return readNew(path);
      }
    },
    close() {
      for (const [path, fd] of kept) drop(path, fd);
    },
  };
}

const attributeText = (fd: number): string =>
  buffer.toString('utf8', 0, readSync(fd, buffer, 0, buffer.length, 0)).trim();

function keepFolder(folder: string, room: Room): KeptFolder {
  const kept = new Map<string, number>();
  const absent = new Set<string>();
  const open = (name: string): number | undefined => {
    const fd = optional(() => openSync(`${folder}/${name}`, 'r'));
    if (fd === undefined) absent.add(name);
    else {
      kept.set(name, fd);
      room.left -= 1;
    }
    return fd;
  };
  return {
    attribute(name) {
      if (absent.has(name)) return undefined;
      const before = kept.get(name);
      if (before === undefined && room.left <= 0) return optional(() => readAttribute(`${folder}/${name}`).trim());
      const fd = before ?? open(name);
      return fd === undefined ? undefined : optional(() => attributeText(fd));
    },
    close() {
      for (const fd of kept.values()) closeSync(fd);
      room.left += kept.size;
      kept.clear();
    },
  };
}

export function openTree(root: string): KernelFs {
  const base = root.endsWith('/') ? root.slice(0, -1) : root;
  const path = (relative: string): string => (relative === '' ? base || '/' : `${base}/${relative}`);
  const room: Room = { left: KEPT_MAX };
  const kept = keptReader(room);
  return {
    root: base || '/',
    path,
    read: (relative) => kept.read(path(relative)),
    readOnce: (relative) => readClosing(path(relative)),
    attribute: (relative) => optional(() => readAttribute(path(relative)).trim()),
    keep: (relative) => keepFolder(path(relative), room),
    list: (relative) => readdirSync(path(relative)).sort(),
    link: (relative) => readlinkSync(path(relative)),
    real: (relative) => realpathSync.native(path(relative)),
    exists: (relative) => isThere(path(relative)),
    close: () => kept.close(),
  };
}
