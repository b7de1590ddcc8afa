import type { Family } from './metric.ts';
import type { Column, Samples } from './writer.ts';

export interface Exposition {
  /** The scrape in the text format 0.0.4. */
  readonly text: string;
  /** Series left out because the same family and labels were written before; one description each, the first few only. */
  readonly dropped: readonly string[];
  readonly droppedCount: number;
}

const DESCRIBED_MAX = 10;

/** Compares as Go compares bytes of UTF-8: by code point, which differs from UTF-16 order beyond U+FFFF only. */
function compare(a: string, b: string): number {
  if (a === b) return 0;
  const shorter = Math.min(a.length, b.length);
  for (let i = 0; i < shorter; i += 1) {
    const x = a.charCodeAt(i);
    const y = b.charCodeAt(i);
    if (x === y) continue;
    const surrogates = Number(x >= 0xd800 && x <= 0xdfff) - Number(y >= 0xd800 && y <= 0xdfff);
    return surrogates !== 0 ? surrogates : x - y;
  }
  return a.length - b.length;
}

/** Renders what the collectors wrote: families by name, series by number of labels and then by label values. */
export function render(written: Iterable<Samples>, only?: ReadonlySet<string>): Exposition {
  const byName = new Map<string, Column[]>();
  for (const samples of written) {
    for (const column of samples.columns.values()) {
      const { name } = column.family;
      if (only !== undefined && !only.has(name)) continue;
      const same = byName.get(name);
      if (same === undefined) byName.set(name, [column]);
      else same.push(column);
    }
  }
  const dropped: string[] = [];
  let droppedCount = 0;
  const drop = (why: string, line: string): void => {
    droppedCount += 1;
    if (dropped.length < DESCRIBED_MAX) dropped.push(`${why}: ${line.slice(0, line.indexOf('\n'))}`);
  };
  dropCollisions(byName, drop);
  const texts: string[] = [];
  for (const name of [...byName.keys()].sort(compare)) {
    const columns = byName.get(name) as Column[];
    const [first] = columns as [Column];
    texts.push(first.family.header);
    if (columns.length === 1 && first.ascending) for (const line of first.lines) texts.push(line);
    else merge(columns, texts, drop);
  }
  return { text: texts.join(''), dropped, droppedCount };
}

/** A histogram `x` has series named `x_sum` and so on, so no other family may have these names. */
function dropCollisions(byName: Map<string, Column[]>, drop: (why: string, line: string) => void): void {
  for (const [name, [column]] of byName) {
    const type = column?.family.type;
    if (type !== 'histogram' && type !== 'summary') continue;
    for (const suffix of type === 'histogram' ? ['_sum', '_count', '_bucket'] : ['_sum', '_count']) {
      for (const { lines } of byName.get(name + suffix) ?? [])
        for (const line of lines) drop(`has the name of a part of the ${type} ${name}`, line);
      byName.delete(name + suffix);
    }
  }
}

interface Series {
  readonly family: Family;
  readonly key: string;
  readonly line: string;
}

const sameLabels = (a: Family, b: Family): boolean =>
  a === b || [...a.labels].sort().join() === [...b.labels].sort().join();

/** Several columns of one name, or one that is out of order. The first written wins where two are the same series. */
function merge(columns: readonly Column[], texts: string[], drop: (why: string, line: string) => void): void {
  const { type } = (columns[0] as Column).family;
  const all: Series[] = [];
  for (const { family, keys, lines } of columns) {
    for (const [i, key] of keys.entries()) {
      const line = lines[i] as string;
      if (family.type === type) all.push({ family, key, line });
      else drop(`was collected before as ${type}, not ${family.type}`, line);
    }
  }
  all.sort((a, b) => a.family.labels.length - b.family.labels.length || compare(a.key, b.key));
  let before: Series | undefined;
  for (const series of all) {
    if (before !== undefined && before.key === series.key && sameLabels(before.family, series.family)) {
      drop('was collected before with the same name and label values', series.line);
    } else {
      texts.push(series.line);
      before = series;
    }
  }
}
