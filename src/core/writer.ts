import assert from 'node:assert/strict';
import { escapeLabel, formatFloat } from './format.ts';
import { type Layout, lastLayout, layOut, prefixOf } from './layout.ts';
import type { Family } from './metric.ts';

/** One series of a histogram: cumulative counts by upper bound, in ascending order. `+Inf` is added where it is missing. */
export interface HistogramValue {
  readonly buckets: readonly (readonly [le: number, count: number])[];
  readonly sum: number;
  readonly count: number;
}

export interface SummaryValue {
  readonly quantiles: readonly (readonly [quantile: number, value: number])[];
  readonly sum: number;
  readonly count: number;
}

/** What collectors write their samples to during one scrape. The overloads make a wrong number of labels a type error. */
export interface Writer {
  sample(family: Family<readonly []>, value: number): void;
  sample(family: Family<readonly [string]>, value: number, a: string): void;
  sample(family: Family<readonly [string, string]>, value: number, a: string, b: string): void;
  sample(family: Family<readonly [string, string, string]>, value: number, a: string, b: string, c: string): void;
  // biome-ignore format: one line per number of labels.
  sample(family: Family<readonly [string, string, string, string]>, value: number, a: string, b: string, c: string, d: string): void;
  /** For families with five labels or more (`…_info` and the like), and for labels that are known only when seen. */
  row(family: Family, value: number, labels: readonly string[]): void;
  histogram(family: Family, value: HistogramValue, labels: readonly string[]): void;
  summary(family: Family, value: SummaryValue, labels: readonly string[]): void;
}

/** What was written to one family. */
export interface Column {
  readonly family: Family;
  /** How the family was laid out at the scrape before; `undefined` as soon as this scrape differs. */
  before: Layout | undefined;
  /** As in `Layout`; empty as long as `before` says the same. */
  labels: string[];
  prefixes: string[];
  /** What follows the prefix of each series: its number, or all the lines of a histogram or a summary. */
  readonly values: (number | string)[];
  /** How many of them there are: room for as many as before is made at once. */
  count: number;
}

/** What one collector wrote during one scrape. After `close`, what a late collector still writes is dropped. */
export class Samples implements Writer {
  readonly columns = new Map<Family, Column>();
  #open = true;
  #last: Column | undefined;

  close(): void {
    this.#open = false;
    this.#last = undefined;
  }

  /** Up to four labels (96% of the reference's samples) come as plain parameters: no array, no object per sample. */
  sample(family: Family, value: number, a?: string, b?: string, c?: string, d?: string): void {
    const column = this.#columnOf(family);
    if (fits(column, a, b, c, d)) column.values[column.count++] = value;
    else append(column, value, [a, b, c, d].slice(0, family.labels.length) as string[]);
  }

  row(family: Family, value: number, labels: readonly string[]): void {
    this.#write(family, value, labels);
  }

  histogram(family: Family, { buckets, sum, count }: HistogramValue, labels: readonly string[]): void {
    const infinite = buckets.at(-1)?.[0] === Number.POSITIVE_INFINITY;
    const all = infinite ? buckets : [...buckets, [Number.POSITIVE_INFINITY, count] as const];
    this.#write(family, compoundText(family, '_bucket', 'le', all, sum, count, labels), labels, '');
  }

  summary(family: Family, { quantiles, sum, count }: SummaryValue, labels: readonly string[]): void {
    this.#write(family, compoundText(family, '', 'quantile', quantiles, sum, count, labels), labels, '');
  }

  #write(family: Family, value: number | string, labels: readonly string[], prefix?: string): void {
    assert.equal(labels.length, family.labels.length, `${family.name}: the number of labels`);
    const column = this.#columnOf(family);
    const at = column.count * labels.length;
    const { before } = column;
    if (before !== undefined && column.count < before.count && labels.every((l, i) => before.labels[at + i] === l))
      column.values[column.count++] = value;
    else append(column, value, labels, prefix);
  }

  #columnOf(family: Family): Column {
    if (this.#last?.family === family) return this.#last;
    if (!this.#open) return { family, before: undefined, labels: [], prefixes: [], values: [], count: 0 };
    let column = this.columns.get(family);
    if (column === undefined) {
      const before = lastLayout(family);
      const values = before === undefined ? [] : new Array<number | string>(before.count);
      column = { family, before, labels: [], prefixes: [], values, count: 0 };
      this.columns.set(family, column);
    }
    this.#last = column;
    return column;
  }
}

/** Whether the next series of a column is the one that was written at its place the scrape before. */
function fits({ family, before, count: place }: Column, a?: string, b?: string, c?: string, d?: string): boolean {
  if (before === undefined || place >= before.count) return false;
  const { length } = family.labels;
  const at = place * length;
  const { labels } = before;
  return (
    length === 0 ||
    (labels[at] === a &&
      (length === 1 ||
        (labels[at + 1] === b && (length === 2 || (labels[at + 2] === c && (length === 3 || labels[at + 3] === d))))))
  );
}

function append(column: Column, value: number | string, labels: readonly string[], prefix?: string): void {
  const { family, before, count } = column;
  if (before !== undefined) {
    column.labels = before.labels.slice(0, count * family.labels.length);
    column.prefixes = before.prefixes.slice(0, count);
    column.before = undefined;
  }
  column.labels.push(...labels);
  column.prefixes.push(prefix ?? prefixOf(family, labels));
  column.values[column.count++] = value;
}

/** The layout of what was written. */
export function layoutOf({ family, before, labels, prefixes, count }: Column): Layout {
  if (before === undefined) return layOut(family, labels, prefixes);
  if (before.count === count) return before;
  const { length } = family.labels;
  return layOut(family, before.labels.slice(0, count * length), before.prefixes.slice(0, count));
}

function compoundText(
  family: Family,
  suffix: string,
  label: string,
  points: readonly (readonly [number, number])[],
  sum: number,
  count: number,
  labels: readonly string[],
): string {
  const { name, order = family.labels.map((_, i) => i) } = family;
  const pairs = order.map((i) => `${family.labels[i]}="${escapeLabel(labels[i] as string)}"`);
  const braces = (extra: readonly string[]): string => (extra.length === 0 ? '' : `{${extra.join(',')}}`);
  let text = '';
  for (const [bound, value] of points)
    text += `${name}${suffix}${braces([...pairs, `${label}="${formatFloat(bound)}"`])} ${formatFloat(value)}\n`;
  return `${text}${name}_sum${braces(pairs)} ${formatFloat(sum)}\n${name}_count${braces(pairs)} ${formatFloat(count)}`;
}
