import { formatFloat } from './format.ts';
import { compare, keyOf } from './layout.ts';
import type { Family } from './metric.ts';
import { type Column, layoutOf, type Samples } from './writer.ts';

export interface Exposition {
  /** The scrape in the text format 0.0.4. */
  readonly text: string;
  /** Series left out because the same family and labels were written before; one description each, the first few only. */
  readonly dropped: readonly string[];
  readonly droppedCount: number;
}

const DESCRIBED_MAX = 10;

type Drop = (why: string, line: string) => void;

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
  const drop: Drop = (why, line) => {
    droppedCount += 1;
    if (dropped.length < DESCRIBED_MAX) dropped.push(`${why}: ${line.split('\n', 1)[0]}`);
  };
  dropCollisions(byName, drop);
  const texts: string[] = [];
  for (const name of sortedNames(byName)) {
    const columns = byName.get(name) as Column[];
    const [first] = columns as [Column];
    if (columns.length === 1) texts.push(renderOne(first, drop));
    else texts.push(first.family.header, ...merge(columns, drop));
  }
  return { text: texts.join(''), dropped, droppedCount };
}

let namesBefore: readonly string[] = [];

/** The names in order. They are nearly always those of the scrape before: looking them up is cheaper than sorting them. */
function sortedNames(byName: ReadonlyMap<string, unknown>): readonly string[] {
  const same = namesBefore.length === byName.size && namesBefore.every((name) => byName.has(name));
  // Names are ASCII, for which the order of UTF-16 is that of bytes.
  if (!same) namesBefore = [...byName.keys()].sort();
  return namesBefore;
}

const ALREADY = 'was collected before with the same name and label values';

const valueText = (value: number | string | undefined): string =>
  typeof value === 'number' ? formatFloat(value) : (value as string);

/** The text of a family. What has not changed since it was rendered last is taken from there. */
function renderOne(column: Column, drop: Drop): string {
  const { family, values } = column;
  const { count, prefixes, order, duplicates, rendered } = layoutOf(column);
  const { values: before, lines } = rendered;
  let same = rendered.text !== '';
  for (let i = 0; i < count; i += 1) {
    if (Object.is(values[i], before[i])) continue;
    same = false;
    lines[i] = `${prefixes[i]}${valueText(values[i])}`;
  }
  if (!same) {
    const shown = order === undefined ? lines : order.map((place) => lines[place]);
    rendered.text = `${family.header}${shown.join('\n')}\n`;
    rendered.values = values;
  }
  for (const place of duplicates) drop(ALREADY, lines[place] as string);
  return rendered.text;
}

/** A histogram `x` has series named `x_sum` and so on, so no other family may have these names. */
function dropCollisions(byName: Map<string, Column[]>, drop: Drop): void {
  for (const columns of byName.values()) {
    const { name, type } = (columns[0] as Column).family;
    if (type !== 'histogram' && type !== 'summary') continue;
    for (const suffix of type === 'histogram' ? ['_sum', '_count', '_bucket'] : ['_sum', '_count']) {
      for (const other of byName.get(name + suffix) ?? [])
        for (const { line } of seriesOf(other)) drop(`has the name of a part of the ${type} ${name}`, line);
      byName.delete(name + suffix);
    }
  }
}

interface Series {
  readonly family: Family;
  readonly key: string;
  readonly line: string;
}

function seriesOf(column: Column): Series[] {
  const { family, values } = column;
  const { labels, prefixes } = layoutOf(column);
  return prefixes.map((prefix, i) => ({
    family,
    key: keyOf(family, labels, i),
    line: `${prefix}${valueText(values[i])}`,
  }));
}

const sameLabels = (a: Family, b: Family): boolean =>
  a === b || [...a.labels].sort().join() === [...b.labels].sort().join();

/** The lines of several columns of one name. The first written wins where two are the same series. */
function merge(columns: readonly Column[], drop: Drop): string[] {
  const { type } = (columns[0] as Column).family;
  const all: Series[] = [];
  for (const series of columns.flatMap(seriesOf)) {
    if (series.family.type === type) all.push(series);
    else drop(`was collected before as ${type}, not ${series.family.type}`, series.line);
  }
  all.sort((a, b) => a.family.labels.length - b.family.labels.length || compare(a.key, b.key));
  const lines: string[] = [];
  let before: Series | undefined;
  for (const series of all) {
    if (before !== undefined && before.key === series.key && sameLabels(before.family, series.family)) {
      drop(ALREADY, series.line);
    } else {
      lines.push(`${series.line}\n`);
      before = series;
    }
  }
  return lines;
}
