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

const KEPT_MAX = 256;
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

/** Descriptors by path, the one used longest ago closed first. */
function keptReader(): { read(path: string): string; close(): void } {
  const kept = new Map<string, number>();
  const drop = (path: string, fd: number): void => {
    kept.delete(path);
    closeSync(fd);
  };
  const open = (path: string): number => {
    const [oldest] = kept;
    if (kept.size >= KEPT_MAX && oldest !== undefined) drop(...oldest);
    return openSync(path, 'r');
  };
  return {
    read(path) {
      const before = kept.get(path);
      if (before !== undefined) {
        try {
          kept.delete(path);
          const text = readAll(before, path);
          kept.set(path, before);
          return text;
        } catch (error) {
          // The thing behind the descriptor is gone. Something may be at its path again.
          drop(path, before);
          if (!hasErrno(error)) throw error;
        }
      }
      const fd = open(path);
      try {
        const text = readAll(fd, path);
        kept.set(path, fd);
        return text;
      } catch (error) {
        closeSync(fd);
        throw error;
      }
    },
    close() {
      for (const [path, fd] of kept) drop(path, fd);
    },
  };
}

export function openTree(root: string): KernelFs {
  const base = root.endsWith('/') ? root.slice(0, -1) : root;
  const path = (relative: string): string => (relative === '' ? base || '/' : `${base}/${relative}`);
  const kept = keptReader();
  return {
    root: base || '/',
    path,
    read: (relative) => kept.read(path(relative)),
    readOnce: (relative) => readClosing(path(relative)),
    attribute: (relative) => optional(() => readAttribute(path(relative)).trim()),
    list: (relative) => readdirSync(path(relative)).sort(),
    link: (relative) => readlinkSync(path(relative)),
    real: (relative) => realpathSync.native(path(relative)),
    exists: (relative) => statSync(path(relative), { throwIfNoEntry: false }) !== undefined,
    close: () => kept.close(),
  };
}
