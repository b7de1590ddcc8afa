import type { Block } from './block.ts';
import type { Family } from './metric.ts';
import type { Value } from './reading.ts';

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

/** Takes samples. The overloads make a wrong number of labels a type error. A value that is `undefined` writes nothing. */
export interface SampleWriter<V> {
  sample(family: Family<readonly []>, value: V): void;
  sample(family: Family<readonly [string]>, value: V, a: string): void;
  sample(family: Family<readonly [string, string]>, value: V, a: string, b: string): void;
  sample(family: Family<readonly [string, string, string]>, value: V, a: string, b: string, c: string): void;
  // biome-ignore format: one line per number of labels.
  sample(family: Family<readonly [string, string, string, string]>, value: V, a: string, b: string, c: string, d: string): void;
  /** For families with five labels or more (`…_info` and the like), and for labels that are known only when seen. */
  row(family: Family, value: V, labels: readonly string[]): void;
  /** Something was left out: a line, an attribute, a device. The rest counts, but the collector did not succeed. */
  fault(error: unknown): void;
  /** Something new to us was passed over, such as a line with an unknown name. Logged once; the collector succeeds. */
  passedOver(what: string): void;
}

/** Takes the samples of a layout: numbers by where they stand, or as they are. */
export type LayoutWriter = SampleWriter<Value>;

/** What a collector writes its samples to during one scrape. */
export interface Writer extends SampleWriter<number | undefined> {
  histogram(family: Family, value: HistogramValue, labels: readonly string[]): void;
  summary(family: Family, value: SummaryValue, labels: readonly string[]): void;
  /** Something was left out, and a metric of the collector's own says so: it is counted, and the collector succeeds all the same. */
  leftOut(error: unknown): void;
  /** Why there is less than one might look for, for whoever looks at the state. The first is taken. */
  remark(text: string): void;
  /** Series that are laid out elsewhere, as they are now. */
  put(block: Block): void;
}
