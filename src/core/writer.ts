import assert from 'node:assert/strict';
import { escapeLabel, formatFloat } from './format.ts';
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

/** The series of one family: `lines[i]` is the text of the series whose label values, in order of output, are `keys[i]`. */
export interface Column {
  readonly family: Family;
  readonly keys: string[];
  readonly lines: string[];
  /** Whether the keys came in strictly ascending order, so that nothing need be sorted or compared. */
  ascending: boolean;
}

/** Below every character that a label value may hold but itself, so that joined values sort as the values do. */
const BETWEEN = '\0';

/** What one collector wrote during one scrape. After `close`, what a late collector still writes is dropped. */
export class Samples implements Writer {
  readonly columns = new Map<Family, Column>();
  #open = true;

  close(): void {
    this.#open = false;
  }

  /** Up to four labels (96% of the reference's samples) come as plain parameters: no array, no object per sample. */
  sample(family: Family, value: number, a?: string, b?: string, c?: string, d?: string): void {
    if (a === undefined) {
      this.#append(family, '', `${family.parts[0]}${formatFloat(value)}\n`);
    } else if (b === undefined) {
      this.#append(family, a, `${family.parts[0]}${escapeLabel(a)}"} ${formatFloat(value)}\n`);
    } else if (family.order === undefined && c === undefined) {
      const [first, second] = family.parts;
      const line = `${first}${escapeLabel(a)}${second}${escapeLabel(b)}"} ${formatFloat(value)}\n`;
      this.#append(family, a + BETWEEN + b, line);
    } else {
      this.row(family, value, c === undefined ? [a, b] : d === undefined ? [a, b, c] : [a, b, c, d]);
    }
  }

  row(family: Family, value: number, labels: readonly string[]): void {
    const values = ordered(family, labels);
    let line = family.parts[0] as string;
    for (const [index, label] of values.entries()) line += escapeLabel(label) + family.parts[index + 1];
    this.#append(family, values.join(BETWEEN), `${line}${formatFloat(value)}\n`);
  }

  histogram(family: Family, { buckets, sum, count }: HistogramValue, labels: readonly string[]): void {
    const infinite = buckets.at(-1)?.[0] === Number.POSITIVE_INFINITY;
    const all = infinite ? buckets : [...buckets, [Number.POSITIVE_INFINITY, count] as const];
    this.#compound(family, '_bucket', 'le', all, sum, count, labels);
  }

  summary(family: Family, { quantiles, sum, count }: SummaryValue, labels: readonly string[]): void {
    this.#compound(family, '', 'quantile', quantiles, sum, count, labels);
  }

  #compound(
    family: Family,
    suffix: string,
    label: string,
    points: readonly (readonly [number, number])[],
    sum: number,
    count: number,
    labels: readonly string[],
  ): void {
    const values = ordered(family, labels);
    const names = [...family.labels].sort();
    const name = (family.parts[0] as string).slice(0, (family.parts[0] as string).search(/[{ ]/));
    const pairs = names.map((n, i) => `${n}="${escapeLabel(values[i] as string)}"`);
    const braces = (extra: readonly string[]): string => (extra.length === 0 ? '' : `{${extra.join(',')}}`);
    let text = '';
    for (const [bound, value] of points)
      text += `${name}${suffix}${braces([...pairs, `${label}="${formatFloat(bound)}"`])} ${formatFloat(value)}\n`;
    text += `${name}_sum${braces(pairs)} ${formatFloat(sum)}\n${name}_count${braces(pairs)} ${formatFloat(count)}\n`;
    this.#append(family, values.join(BETWEEN), text);
  }

  #append(family: Family, key: string, line: string): void {
    if (!this.#open) return;
    let column = this.columns.get(family);
    if (column === undefined) {
      column = { family, keys: [], lines: [], ascending: true };
      this.columns.set(family, column);
    } else if (column.ascending && !((column.keys.at(-1) as string) < key)) {
      column.ascending = false;
    }
    column.keys.push(key);
    column.lines.push(line);
  }
}

function ordered(family: Family, labels: readonly string[]): readonly string[] {
  assert.equal(labels.length, family.labels.length, `${family.name}: the number of labels`);
  return family.order === undefined ? labels : family.order.map((place) => labels[place] as string);
}
