import { hasErrno } from './errors.ts';
import type { Acquired, Held, Tree } from './host.ts';

/** Files that only a privilege opens, opened before it is given up. */

const NOT_OPENED = ['ENOENT', 'ENOTDIR', 'ENODEV', 'EACCES', 'EPERM'] as const;

/** Opens files of a tree, each under its path as key. Those that are absent or refused are left out. */
export function acquireFiles(tree: Tree, paths: readonly string[]): Acquired {
  const held: Held[] = [];
  for (const key of paths) {
    try {
      held.push({ key, fd: tree.open(key), kind: 'file', path: tree.path(key) });
    } catch (error) {
      if (!hasErrno(error, NOT_OPENED)) throw error;
    }
  }
  return { held, facts: null };
}

/** From here on the tree reads held files through their descriptors. To be called before one of them is asked for. */
export function adoptFiles(tree: Tree, acquired: Acquired | undefined): void {
  for (const { key, fd } of acquired?.held ?? []) tree.adopt(key, fd);
}
