import { type AwayDisk, type Disk, disk } from '../../src/source/disk.ts';

/** What differs from the real disk. Paths are whole ones; what throws is what the system refuses. */
export interface Altered {
  /** The content of a file, given what is really in it. */
  readonly bytes?: (path: string, real: Buffer) => Buffer;
  /** Content of files that are not there. */
  readonly files?: (path: string) => string | undefined;
  readonly list?: (path: string, real: string[]) => string[];
  readonly link?: (path: string, real: () => string) => string;
  readonly real?: (path: string, real: () => string) => string;
}

/** An error as `node:fs` throws them. */
export const refusal = (code: string, path: string): Error =>
  Object.assign(new Error(`${code}: refused, '${path}'`), { code });

const FIRST_FD = 1_000_000;

/** What is asked off the thread answers the same. */
export const awayOf = (of: Omit<Disk, 'away'>): AwayDisk => ({
  readWhole: async (path) => of.readWhole(path),
  list: async (path) => of.list(path),
  link: async (path) => of.link(path),
  real: async (path) => of.real(path),
  isThere: async (path) => of.isThere(path),
  sizeBytes: async (path) => of.sizeBytes(path),
  identity: async (path) => of.identity(path),
});

/** The disk as seen through a fault: every read asks `bytes` again, through kept descriptors too. */
export function alteredDisk({ bytes = (_, real) => real, files = () => undefined, list, link, real }: Altered): Disk {
  const open = new Map<number, { path: string; content: Buffer }>();
  let next = FIRST_FD;
  const contentOf = (path: string): Buffer => {
    const made = files(path);
    return bytes(path, made === undefined ? disk.readWhole(path) : Buffer.from(made, 'latin1'));
  };
  const altered: Omit<Disk, 'away'> = {
    ...disk,
    open(path) {
      const content = contentOf(path);
      next += 1;
      open.set(next, { path, content });
      return next;
    },
    read(fd, into, at, room, position) {
      const file = open.get(fd);
      if (file === undefined) throw refusal('EBADF', String(fd));
      if (position === 0) file.content = contentOf(file.path);
      return file.content.copy(into, at, position, Math.min(position + room, file.content.length));
    },
    close: (fd) => void open.delete(fd),
    identityOf: (fd) => altered.identity(open.get(fd)?.path ?? ''),
    readWhole: contentOf,
    isThere: (path) => files(path) !== undefined || disk.isThere(path),
    list: (path) => (list === undefined ? disk.list(path) : list(path, disk.list(path))),
    link: (path) => (link === undefined ? disk.link(path) : link(path, () => disk.link(path))),
    real: (path) => (real === undefined ? disk.real(path) : real(path, () => disk.real(path))),
  };
  return { ...altered, away: awayOf(altered) };
}

/** The disk, on which files whose paths end so cannot be read. */
export const refusingDisk = (code: string, end: string): Disk =>
  alteredDisk({
    bytes(path, real) {
      if (path.endsWith(end)) throw refusal(code, path);
      return real;
    },
  });

/** The disk, on which folders whose paths end so cannot be listed. */
export const closedDisk = (code: string, end: string): Disk =>
  alteredDisk({
    list(path, real) {
      if (path.endsWith(end)) throw refusal(code, path);
      return real;
    },
  });

/** How a path was asked for. */
export type Asked = 'open' | 'list' | 'link' | 'look';

/** The disk, with everything that it is asked for reported to `onAsked`. */
export function recordedDisk(real: Disk, onAsked: (path: string, how: Asked) => void): Disk {
  const recorded =
    <T>(how: Asked, ask: (path: string) => T) =>
    (path: string): T => {
      onAsked(path, how);
      return ask(path);
    };
  return {
    ...real,
    open: recorded('open', real.open),
    readWhole: recorded('open', real.readWhole),
    list: recorded('list', real.list),
    link: recorded('link', real.link),
    real: recorded('look', real.real),
    isThere: recorded('look', real.isThere),
    sizeBytes: recorded('look', real.sizeBytes),
    identity: recorded('look', real.identity),
  };
}
