import { NOTHING, optional } from './errors.ts';
import type { KernelFile, Lines, Tree } from './host.ts';
import { bytesOf, decodeName } from './utf8.ts';

/** What the kernel's words name, as bytes: one character for each, as paths of a tree have them. */

const LOST = '\uFFFD';

/**
 * The name in a folder that a word is about. A word is text, in which bytes that are not UTF-8 are lost: then the folder has to
 * say which name is shown so. `undefined` where several are.
 */
export function nameIn(tree: Tree, folder: string, word: string): string | undefined {
  if (!word.includes(LOST)) return bytesOf(word);
  const names = optional(() => tree.list(folder), NOTHING) ?? [];
  const [name, other] = names.filter((each) => decodeName(each) === word);
  return other === undefined ? name : undefined;
}

/** The names in a file that holds nothing else, with blanks between; `undefined` where it is absent or refused. */
export function followedNames(lines: Lines, file: KernelFile): string[] | undefined {
  if (lines.followed(file) === undefined) return undefined;
  // The blanks of ASCII only: others are parts of letters.
  return file.bytes.toString('latin1', 0, file.length).match(/[^\t-\r ]+/g) ?? [];
}
