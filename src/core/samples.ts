import { Block } from './block.ts';
import { NoDataError } from './errors.ts';
import { formatFloat } from './format.ts';
import { type Compound, compoundOf, type Family } from './metric.ts';
import { NotYet } from './not_yet.ts';
import type { HistogramValue, SummaryValue, Writer } from './writer.ts';

/** How many are kept to be logged; all are counted. */
const FAULTS_MAX = 64;
const PASSED_OVER_MAX = 16;
const BOUNDS_MAX = 1024;

/**
 * What one collector writes, scrape after scrape. Which series come in which order is nearly always what it was at the scrape
 * before: then a sample is a comparison and a number put into its place, and nothing is made.
 */
export class Samples implements Writer {
  /** What is there: first what was written sample by sample, then what was put. */
  readonly blocks: Block[] = [new Block()];
  /** How many of these belong to this run. */
  blockCount = 1;
  /** What was left out in this run: the first few. */
  readonly faults: unknown[] = [];
  faultCount = 0;
  /** What was left out first without a failure. */
  lost: unknown;
  remarkText: string | undefined;
  readonly #passedOver = new Set<string>();
  readonly #onPassedOver: (what: string) => void;
  readonly #boundTexts = new Map<number, string>();
  #at = 0;
  #labelAt = 0;
  #markedAt = 0;
  #markedLabelAt = 0;
  #markedBlocks = 1;
  #markedFaults = 0;
  #markedFaultCount = 0;
  #isCut = false;
  #isOpen = true;

  /** `onPassedOver` is called once for each thing that was passed over. */
  constructor(onPassedOver: (what: string) => void = () => {}) {
    this.#onPassedOver = onPassedOver;
  }

  /** A new run begins. */
  begin(): void {
    this.blockCount = 1;
    this.faults.length = 0;
    this.faultCount = 0;
    this.lost = undefined;
    this.remarkText = undefined;
    this.#at = 0;
    this.#labelAt = 0;
    this.#isCut = false;
    this.#isOpen = true;
  }

  /** What is written from here on may be taken back. */
  mark(): void {
    this.#markedAt = this.#at;
    this.#markedLabelAt = this.#labelAt;
    this.#markedBlocks = this.blockCount;
    this.#markedFaults = this.faults.length;
    this.#markedFaultCount = this.faultCount;
  }

  /** Takes back what was written since `mark`. */
  takeBack(): void {
    this.#at = this.#markedAt;
    this.#labelAt = this.#markedLabelAt;
    this.blockCount = this.#markedBlocks;
    this.faults.length = this.#markedFaults;
    this.faultCount = this.#markedFaultCount;
  }

  /** The run is over: what it did not write again is gone, and what a late collector still writes is dropped. */
  close(): void {
    const own = this.blocks[0] as Block;
    if (this.#isOpen && own.count !== this.#at) own.cut(this.#at, this.#labelAt);
    this.#isOpen = false;
  }

  put(block: Block): void {
    if (!this.#isOpen) return;
    this.blocks[this.blockCount] = block;
    this.blockCount += 1;
  }

  fault(error: unknown): void {
    if (error instanceof NotYet) throw error;
    if (!this.#isOpen) return;
    // That there is nothing of the kind here is no fault, though the collector did not succeed.
    if (!(error instanceof NoDataError)) this.faultCount += 1;
    if (this.faults.length < FAULTS_MAX) this.faults.push(error);
  }

  leftOut(error: unknown): void {
    if (!this.#isOpen) return;
    this.faultCount += 1;
    this.lost ??= error;
  }

  remark(text: string): void {
    if (this.#isOpen) this.remarkText ??= text;
  }

  passedOver(what: string): void {
    if (this.#passedOver.has(what) || this.#passedOver.size >= PASSED_OVER_MAX) return;
    this.#passedOver.add(what);
    this.#onPassedOver(what);
  }

  /** Up to four labels (96% of all samples) come as plain parameters: no array, no object per sample. */
  sample(family: Family, value: number | undefined, a?: string, b?: string, c?: string, d?: string): void {
    if (value === undefined || !this.#isOpen) return;
    const own = this.blocks[0] as Block;
    const { length } = family.labels;
    if (this.#fits(own, family, length, a, b, c, d)) own.set(this.#at, value);
    else this.#append(own, family, value, [a, b, c, d].slice(0, length) as string[]);
    this.#at += 1;
    this.#labelAt += length;
  }

  row(family: Family, value: number | undefined, labels: readonly string[]): void {
    if (value === undefined || !this.#isOpen) return;
    this.#write(family, value, labels, undefined);
  }

  histogram(family: Family, { buckets, sum, count }: HistogramValue, labels: readonly string[]): void {
    if (!this.#isOpen) return;
    const compound = compoundOf(family);
    for (const [bound, below] of buckets) this.#write(compound.point, below, labels, this.#boundText(bound));
    if (buckets.at(-1)?.[0] !== Number.POSITIVE_INFINITY) this.#write(compound.point, count, labels, '+Inf');
    this.#ends(compound, sum, count, labels);
  }

  summary(family: Family, { quantiles, sum, count }: SummaryValue, labels: readonly string[]): void {
    if (!this.#isOpen) return;
    const compound = compoundOf(family);
    for (const [quantile, value] of quantiles) this.#write(compound.point, value, labels, this.#boundText(quantile));
    this.#ends(compound, sum, count, labels);
  }

  #ends(compound: Compound, sum: number, count: number, labels: readonly string[]): void {
    this.#write(compound.sum, sum, labels, undefined);
    this.#write(compound.count, count, labels, undefined);
  }

  /** `bound` is one more label, after the others. */
  #write(family: Family, value: number, labels: readonly string[], bound: string | undefined): void {
    const { length } = family.labels;
    const given = labels.length + (bound === undefined ? 0 : 1);
    if (given !== length) throw new TypeError(`${family.name}: ${given} labels for ${length}`);
    const own = this.blocks[0] as Block;
    let fits = this.#at < own.count && own.families[this.#at] === family;
    for (let i = 0; fits && i < labels.length; i += 1) fits = own.labels[this.#labelAt + i] === labels[i];
    if (fits && bound !== undefined) fits = own.labels[this.#labelAt + length - 1] === bound;
    if (fits) own.set(this.#at, value);
    else this.#append(own, family, value, bound === undefined ? labels : [...labels, bound]);
    this.#at += 1;
    this.#labelAt += length;
  }

  /** The same few bounds come at every scrape. */
  #boundText(bound: number): string {
    const known = this.#boundTexts.get(bound);
    if (known !== undefined) return known;
    const text = formatFloat(bound);
    if (this.#boundTexts.size < BOUNDS_MAX) this.#boundTexts.set(bound, text);
    return text;
  }

  #fits(own: Block, family: Family, length: number, a?: string, b?: string, c?: string, d?: string): boolean {
    if (this.#at >= own.count || own.families[this.#at] !== family) return false;
    const { labels } = own;
    const at = this.#labelAt;
    return (
      length === 0 ||
      (labels[at] === a &&
        (length === 1 ||
          (labels[at + 1] === b && (length === 2 || (labels[at + 2] === c && (length === 3 || labels[at + 3] === d))))))
    );
  }

  #append(own: Block, family: Family, value: number, labels: readonly string[]): void {
    // Once in a run: a page may hold what the run before has left.
    if (!this.#isCut || own.count !== this.#at) own.cut(this.#at, this.#labelAt);
    this.#isCut = true;
    own.add(family, value);
    for (const label of labels) own.labels.push(label);
  }
}
