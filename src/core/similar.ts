/** How many letters have to be changed, left out, put in or swapped with the next to make `b` of `a` (Levenshtein, Damerau). */
export function distance(a: string, b: string): number {
  let before: number[] = [];
  let row = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i += 1) {
    const next = [i];
    for (let j = 1; j <= b.length; j += 1) {
      const changed = (row[j - 1] as number) + (a[i - 1] === b[j - 1] ? 0 : 1);
      const isSwapped = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1];
      const swapped = isSwapped ? (before[j - 2] as number) + 1 : changed;
      next.push(Math.min(changed, swapped, (row[j] as number) + 1, (next[j - 1] as number) + 1));
    }
    [before, row] = [row, next];
  }
  return row[b.length] as number;
}

/** How long the part is in which two names with dots differ: slips in it are no slips where they make most of it. */
function differingLength(a: string, b: string): number {
  let begin = 0;
  for (let i = 0; i < a.length && a[i] === b[i]; i += 1) if (a[i] === '.') begin = i + 1;
  return Math.max(a.length, b.length) - begin;
}

/** A longer word is no slip of a finger. */
const WORD_MAX = 100;

/** What was probably meant: the one that a few slips make of `word`, or the only one that ends with it after a dot. */
export function nearest(word: string, candidates: Iterable<string>): string | undefined {
  if (word === '' || word.length > WORD_MAX) return undefined;
  const plain = word.toLowerCase();
  let best: string | undefined;
  let least = Math.max(1, Math.floor(word.length / 5)) + 1;
  const endings: string[] = [];
  for (const candidate of candidates) {
    const slips = distance(plain, candidate.toLowerCase());
    if (slips < least && slips * 2 <= differingLength(plain, candidate.toLowerCase()))
      [best, least] = [candidate, slips];
    if (candidate.endsWith(`.${word}`)) endings.push(candidate);
  }
  return best ?? (endings.length === 1 ? endings[0] : undefined);
}
