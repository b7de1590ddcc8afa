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
  for (const name of [...byName.keys()].sort(compare)) {
    const columns = byName.get(name) as Column[];
    const [first] = columns as [Column];
    texts.push(first.family.header);
    if (columns.length === 1) renderOne(first, texts, drop);
    else merge(columns, texts, drop);
  }
  return { text: texts.join(''), dropped, droppedCount };
}

const ALREADY = 'was collected before with the same name and label values';

const valueText = (value: number | string | undefined): string =>
  typeof value === 'number' ? formatFloat(value) : (value as string);

function renderOne(column: Column, texts: string[], drop: Drop): void {
  const { values } = column;
  const { prefixes, order, duplicates } = layoutOf(column);
  const put = (place: number): void => {
    texts.push(prefixes[place] as string, valueText(values[place]), '\n');
  };
  if (order === undefined) for (let i = 0; i < prefixes.length; i += 1) put(i);
  else for (const place of order) put(place);
  for (const place of duplicates) drop(ALREADY, `${prefixes[place]}${valueText(values[place])}`);
}

/** A histogram `x` has series named `x_sum` and so on, so no other family may have these names. */
function dropCollisions(byName: Map<string, Column[]>, drop: Drop): void {
  for (const [name, [column]] of byName) {
    const type = column?.family.type;
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

/** Several columns of one name. The first written wins where two are the same series. */
function merge(columns: readonly Column[], texts: string[], drop: Drop): void {
  const { type } = (columns[0] as Column).family;
  const all: Series[] = [];
  for (const column of columns) {
    for (const series of seriesOf(column)) {
      if (series.family.type === type) all.push(series);
      else drop(`was collected before as ${type}, not ${series.family.type}`, series.line);
    }
  }
  all.sort((a, b) => a.family.labels.length - b.family.labels.length || compare(a.key, b.key));
  let before: Series | undefined;
  for (const series of all) {
    if (before !== undefined && before.key === series.key && sameLabels(before.family, series.family)) {
      drop(ALREADY, series.line);
    } else {
      texts.push(series.line, '\n');
      before = series;
    }
  }
}
