import { existsSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';

// What a collector's `reads` says: paths, in which `<x>` and `*` stand for a name or a part of one, `{a,b}` for either, and `**`
// for folders and names of any depth. What is no file has a prefix that says what it is instead, as `netlink:RTM_GETLINK`.

export const isFile = (entry: string): boolean => !/^[a-z]+:/.test(entry);

function patternOf(part: string): RegExp {
  const source = part
    .replace(/[.+^$()|[\]\\]/g, '\\$&')
    .replace(/\{([^}]*)\}/g, (_, names: string) => `(?:${names.replaceAll(',', '|')})`)
    .replace(/<[^>]*>/g, '[^/]+')
    .replace(/\*\*|\*/g, (stars) => (stars === '**' ? '.*' : '[^/]*'));
  return new RegExp(`^${source}$`);
}

/** An entry that begins with a placeholder is below a folder that a flag names. */
const isFree = (entry: string): boolean => entry.startsWith('<');

/** Whether an entry is about this path. */
export const covers = (entry: string, path: string): boolean =>
  patternOf(isFree(entry) ? entry.replace(/^<[^>]*>/, '**') : entry).test(path);

/** Whether it is about something below this path. */
export function isAbove(path: string, entry: string): boolean {
  const parts = entry.split('/');
  return isFree(entry) || parts.some((_, i) => patternOf(parts.slice(0, i).join('/')).test(path));
}

const files = (folder: string, root: string): string[] =>
  readdirSync(join(root, folder), { recursive: true, encoding: 'latin1' }).map((name) => `${folder}/${name}`);

/** The paths that an entry is about, of those that are there below `root`. */
export function existing(entry: string, root: string): string[] {
  if (entry.endsWith('/**')) return files(entry.slice(0, -'/**'.length), root);
  let found = [''];
  for (const part of entry.split('/').slice(1)) {
    const pattern = patternOf(part);
    found = found.flatMap((folder) => {
      const path = join(root, folder);
      if (!existsSync(path) || !statSync(path).isDirectory()) return [];
      const names = readdirSync(path, 'latin1');
      return names.filter((name) => pattern.test(name)).map((name) => `${folder}/${name}`);
    });
  }
  return found;
}
