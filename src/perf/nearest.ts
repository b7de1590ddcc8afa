/** How many letters have to be put in, taken away or changed to make one of the other (Levenshtein). */
function changes(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i += 1) {
    const next = [i];
    for (let j = 1; j <= b.length; j += 1) {
      const changed = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(changed, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row[b.length] ?? 0;
}

/** From 0, the same, to 1. What holds all of it is nearer than what only looks like it. */
function distance(unknown: string, name: string): number {
  const share = changes(unknown, name) / Math.max(unknown.length, name.length);
  return name.includes(unknown) ? share / 2 : share;
}

/** What may be meant by a name that is unknown, the nearest first. Capitals make no difference. */
export const nearestFirst = (unknown: string, known: readonly string[]): string[] =>
  known
    .map((name) => ({ name, far: distance(unknown.toLowerCase(), name.toLowerCase()) }))
    .sort((a, b) => a.far - b.far)
    .map(({ name }) => name);
