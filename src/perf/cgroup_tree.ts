import { readdirSync, statSync } from 'node:fs';
import { optional } from '../core/errors.ts';
import type { Tree } from '../core/host.ts';
import type { Pattern } from '../core/pattern.ts';
import { bytesOf, decodeName, pathOf } from '../core/utf8.ts';

/** A cgroup, as it is now. */
export interface Cgroup {
  /** From the tree's root, without a slash in front, one character per byte: `system.slice/ssh.service`. */
  readonly path: string;
  /** The kernel gives the number to no other cgroup while the machine runs (since Linux 5.6 on 64 bit machines). */
  readonly inode: string;
}

/** What cAdvisor calls `id`, and the kubelet too. */
export const cgroupLabel = (path: string): string => `/${decodeName(path)}`;

/** What Node takes as the path of a cgroup. `root` is text. */
export const cgroupFolder = (root: string, path: string): string | Buffer => pathOf(`${bytesOf(root)}/${path}`);

/**
 * The folder that perf events know cgroups by, below `<sysfs>/fs/cgroup`: the perf_event hierarchy of version 1 where it is
 * mounted, else the tree of version 2. https://docs.kernel.org/admin-guide/cgroup-v2.html
 */
export function findCgroupTree(sys: Tree): string | undefined {
  const [v1, v2, hybrid] = ['fs/cgroup/perf_event', 'fs/cgroup', 'fs/cgroup/unified'];
  if (sys.exists(`${v1}/cgroup.procs`)) return sys.path(v1);
  for (const place of [v2, hybrid]) if (sys.exists(`${place}/cgroup.procs`)) return sys.path(place);
  return undefined;
}

/** No machine has as many; a tree that somebody fills must not hold up a scrape. */
export const VISITED_MAX = 20_000;

const ABSENT = ['ENOENT', 'ENODEV', 'ENOTDIR', 'EACCES'];

export interface FoundCgroups {
  /** From the tree's root, without a slash in front, one character per byte. */
  readonly paths: readonly string[];
  /** Whether there are more than are looked at. */
  readonly isCut: boolean;
}

/** Those that are wanted, parents before their children, by name, `depth` levels below the root. */
export function findCgroups(root: string, include: Pattern, depth: number): FoundCgroups {
  const paths: string[] = [];
  let visited = 0;
  const visit = (parent: string, level: number): void => {
    // A folder without subfolders has two links: from its parent, and from within.
    const folder = cgroupFolder(root, parent);
    const links = optional(() => statSync(folder).nlink, ABSENT);
    if (links === undefined || links === 2) return;
    const entries = optional(() => readdirSync(folder, { withFileTypes: true, encoding: 'buffer' }), ABSENT) ?? [];
    const names = entries.filter((entry) => entry.isDirectory()).map(({ name }) => name.toString('latin1'));
    for (const name of names.sort()) {
      visited += 1;
      if (visited > VISITED_MAX) return;
      const path = parent === '' ? name : `${parent}/${name}`;
      if (include.test(cgroupLabel(path))) paths.push(path);
      if (level < depth) visit(path, level + 1);
    }
  };
  visit('', 1);
  return { paths, isCut: visited > VISITED_MAX };
}

export interface ChosenCgroups {
  readonly chosen: readonly Cgroup[];
  /** How many there are besides. Some of them may have gone by now, but never all. */
  readonly leftOut: number;
}

/** The cgroups to count for: those that are counted already stay, and the first of the others fill up to `max`. */
export function chooseCgroups(
  root: string,
  paths: readonly string[],
  counted: readonly Cgroup[],
  max: number,
): ChosenCgroups {
  const known = new Map(counted.map((cgroup) => [cgroup.path, cgroup]));
  const now = paths.flatMap((path) => {
    const inode = known.has(path) ? inodeOf(root, path) : undefined;
    return inode !== undefined && known.get(path)?.inode === inode ? [{ path, inode }] : [];
  });
  const staying = new Set(now.map(({ path }) => path));
  const others = paths.filter((path) => !staying.has(path));
  const chosen = [...now];
  for (const [i, path] of others.entries()) {
    const inode = inodeOf(root, path);
    if (inode === undefined) continue;
    if (chosen.length >= max) return { chosen, leftOut: others.length - i };
    chosen.push({ path, inode });
  }
  return { chosen, leftOut: 0 };
}

/** Which cgroup is at a path now; `undefined` where none is. */
function inodeOf(root: string, path: string): string | undefined {
  const found = optional(() => statSync(cgroupFolder(root, path), { bigint: true }), ABSENT);
  return found?.isDirectory() === true ? String(found.ino) : undefined;
}
