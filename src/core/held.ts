import { openSync, readSync } from 'node:fs';
import { hasErrno } from './errors.ts';
import type { Acquired, Held, Tree } from './host.ts';

/** Files that only a privilege opens, opened before it is given up. */

const NOT_OPENED = ['ENOENT', 'ENOTDIR', 'ENODEV', 'EACCES', 'EPERM'] as const;

/** Opens files of a tree, each under its path as key. Those that are absent or refused are left out. */
export function acquireFiles(tree: Tree, paths: readonly string[]): Acquired {
  const held: Held[] = [];
  for (const key of paths) {
    const path = tree.path(key);
    try {
      held.push({ key, fd: openSync(path, 'r'), kind: 'file', path });
    } catch (error) {
      if (!hasErrno(error, NOT_OPENED)) throw error;
    }
  }
  return { held, facts: null };
}

const CHUNK_BYTES = 64 << 10;

function readWhole(fd: number): string {
  const chunks: Buffer[] = [];
  for (let at = 0; ; ) {
    const chunk = Buffer.allocUnsafe(CHUNK_BYTES);
    const count = readSync(fd, chunk, 0, CHUNK_BYTES, at);
    if (count === 0) return Buffer.concat(chunks).toString('utf8');
    chunks.push(chunk.subarray(0, count));
    at += count;
  }
}

/** Reads a held file from its start to its end; the function answers `undefined` for a key that is not held. */
export function heldFiles(acquired: Acquired | undefined): (key: string) => string | undefined {
  const fds = new Map(acquired?.held.map(({ key, fd }) => [key, fd]));
  return (key) => {
    const fd = fds.get(key);
    return fd === undefined ? undefined : readWhole(fd);
  };
}

/** From here on the tree reads held files through their descriptors. To be called before one of them is asked for. */
export function adoptFiles(tree: Tree, acquired: Acquired | undefined): void {
  for (const { key, fd } of acquired?.held ?? []) tree.adopt(key, fd);
}
