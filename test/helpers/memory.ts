import type { Disk } from '../../src/source/disk.ts';
import { awayOf, refusal } from './disk.ts';

interface Inode {
  bytes: Buffer;
  /** What a read answers instead of bytes. */
  code: string | undefined;
  /** Removed: who has it open gets ENODEV, as of an attribute whose device is gone. */
  isGone: boolean;
}

/** Files in memory, which can be removed, made anew and refused while they are open. */
export interface Memory extends Disk {
  write(path: string, text: string): void;
  remove(path: string): void;
  /** From now on a read fails with this errno; without one it succeeds. EACCES and EPERM fail at the open. */
  refuse(path: string, code?: string): void;
  pointTo(link: string, target: string): void;
  /** How many descriptors there may be; more is EMFILE. */
  openMax: number;
  readonly openCount: number;
  /** What was asked since the last call, as `open /proc/stat`. */
  asked(): string[];
}

const AT_OPEN: readonly string[] = ['EACCES', 'EPERM'];

export function createMemory(files: Readonly<Record<string, string>> = {}): Memory {
  const inodes = new Map<string, Inode>();
  const links = new Map<string, string>();
  /** By path, files and folders: another number as soon as it is another thing. */
  const identities = new Map<string, number>();
  const open = new Map<number, { path: string; inode: Inode }>();
  let next = 100;
  let made = 0;
  let calls: string[] = [];
  const found = (path: string): Inode => {
    const inode = inodes.get(path);
    if (inode === undefined) throw refusal('ENOENT', path);
    if (AT_OPEN.includes(inode.code ?? '')) throw refusal(inode.code as string, path);
    return inode;
  };
  const names = (path: string): string[] => {
    const prefix = `${path}/`;
    const below = [...inodes.keys(), ...links.keys()].filter((each) => each.startsWith(prefix));
    return [...new Set(below.map((each) => each.slice(prefix.length).split('/')[0] as string))];
  };
  const ask = (what: string, path: string): void => void calls.push(`${what} ${path}`);
  const memory: Omit<Memory, 'away'> = {
    openMax: Number.POSITIVE_INFINITY,
    get openCount() {
      return open.size;
    },
    asked() {
      const before = calls;
      calls = [];
      return before;
    },
    write(path, text) {
      const inode = inodes.get(path) ?? { bytes: Buffer.alloc(0), code: undefined, isGone: false };
      inode.bytes = Buffer.from(text, 'latin1');
      inodes.set(path, inode);
      for (let at = path; at !== ''; at = at.slice(0, at.lastIndexOf('/')))
        if (!identities.has(at)) identities.set(at, ++made);
    },
    remove(path) {
      for (const [each, inode] of inodes) {
        if (each !== path && !each.startsWith(`${path}/`)) continue;
        inode.isGone = true;
        inodes.delete(each);
      }
      for (const each of [...identities.keys()])
        if (!inodes.has(each) && names(each).length === 0) identities.delete(each);
      links.delete(path);
    },
    refuse(path, code) {
      (inodes.get(path) as Inode).code = code;
    },
    pointTo: (link, target) => void links.set(link, target),
    open(path) {
      ask('open', path);
      const inode = found(path);
      if (open.size >= memory.openMax) throw refusal('EMFILE', path);
      next += 1;
      open.set(next, { path, inode });
      return next;
    },
    read(fd, into, at, room, position) {
      const file = open.get(fd);
      if (file === undefined) throw refusal('EBADF', String(fd));
      const { path, inode } = file;
      ask('read', path);
      if (inode.isGone) throw refusal('ENODEV', path);
      if (inode.code !== undefined) throw refusal(inode.code, path);
      return inode.bytes.copy(into, at, position, Math.min(position + room, inode.bytes.length));
    },
    close(fd) {
      if (!open.delete(fd)) throw refusal('EBADF', String(fd));
    },
    readWhole(path) {
      ask('whole', path);
      const { bytes, code } = found(path);
      if (code !== undefined) throw refusal(code, path);
      return bytes;
    },
    list(path) {
      ask('list', path);
      const all = names(path);
      if (all.length === 0) throw refusal('ENOENT', path);
      return all;
    },
    link(path) {
      ask('link', path);
      const target = links.get(path);
      if (target === undefined) throw refusal(inodes.has(path) ? 'EINVAL' : 'ENOENT', path);
      return target;
    },
    real(path) {
      ask('real', path);
      const target = links.get(path) ?? path;
      if (!inodes.has(target) && names(target).length === 0) throw refusal('ENOENT', path);
      return target;
    },
    isThere: (path) => inodes.has(path) || names(path).length > 0,
    identity: (path) => identities.get(links.get(path) ?? path),
    identityOf: (fd) => memory.identity(open.get(fd)?.path ?? ''),
    sizeBytes: (path) => found(path).bytes.length,
    magic: () => undefined,
    mounts: () => '',
  };
  for (const [path, text] of Object.entries(files)) memory.write(path, text);
  return Object.assign(memory, { away: awayOf(memory) });
}
