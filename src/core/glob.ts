import { readdir } from 'node:fs/promises';
import { posix } from 'node:path';
import { bytesOf, decodeName, pathOf } from './utf8.ts';

const META = /[*?[\\]/;

/** One `[…]` of a pattern, from behind its bracket: the regular expression and where it ends; `undefined` where it has no end. */
function classOf(pattern: string, from: number): { source: string; end: number } | undefined {
  const negated = pattern[from] === '^';
  let source = negated ? '[^' : '[';
  for (let i = from + Number(negated); i < pattern.length; i += 1) {
    if (pattern[i] === ']') return { source: `${source}]`, end: i };
    if (pattern[i] === '\\') i += 1;
    const char = pattern[i] ?? '';
    source += char === '-' && pattern[i - 1] !== '\\' ? char : char.replace(/[\\\]^[-]/, '\\$&');
  }
  return undefined;
}

/** A pattern for one name as a regular expression; `undefined` where it is malformed. */
function compile(pattern: string): RegExp | undefined {
  let source = '';
  for (let i = 0; i < pattern.length; i += 1) {
    const char = pattern[i] as string;
    if (char === '*') source += '.*';
    else if (char === '?') source += '.';
    else if (char === '[') {
      const found = classOf(pattern, i + 1);
      if (found === undefined) return undefined;
      source += found.source;
      i = found.end;
    } else {
      if (char === '\\') i += 1;
      source += (pattern[i] ?? '').replace(/[\\^$.*+?()[\]{}|/]/, '\\$&');
    }
  }
  try {
    return new RegExp(`^${source}$`, 's');
  } catch {
    return undefined;
  }
}

/**
 * The paths that match a shell pattern (`*`, `?`, `[a-z]`, `\` escapes), in order of their names. As Go's `filepath.Glob`:
 * names with a leading dot count, folders that cannot be read are passed over, a path without a pattern is answered as it is.
 * The pattern is text; the paths hold one character per byte, since a folder may be called anything.
 */
export async function glob(pattern: string): Promise<string[]> {
  if (!META.test(pattern)) return [bytesOf(pattern)];
  const slash = pattern.lastIndexOf('/');
  const name = compile(pattern.slice(slash + 1));
  if (name === undefined) return [];
  const folders = slash < 0 ? ['.'] : slash === 0 ? ['/'] : await glob(pattern.slice(0, slash));
  const found: string[] = [];
  for (const folder of folders) {
    const names = await readdir(pathOf(folder), 'latin1').catch(() => []);
    for (const each of names.sort()) if (name.test(decodeName(each))) found.push(posix.join(folder, each));
  }
  return found;
}
