import type { Block } from './block.ts';
import type { Family } from './metric.ts';
import { NotYet } from './not_yet.ts';
import { type Numbers, Readings, type Value } from './reading.ts';
import type { LayoutWriter } from './writer.ts';

/** What a layout writes: series, and for each a number or where it stands. */
export class LaidSamples implements LayoutWriter {
  readonly families: Family[] = [];
  readonly labels: string[] = [];
  readonly values = new Readings();
  readonly faults: unknown[] = [];
  readonly names: string[] = [];

  sample(family: Family, value: Value, ...labels: readonly string[]): void {
    this.row(family, value, labels);
  }

  row(family: Family, value: Value, labels: readonly string[]): void {
    if (value === undefined) return;
    if (labels.length !== family.labels.length)
      throw new TypeError(`${family.name}: ${labels.length} labels for ${family.labels.length}`);
    this.families.push(family);
    this.values.push(value);
    for (const label of labels) this.labels.push(label);
  }

  fault(error: unknown): void {
    if (error instanceof NotYet) throw error;
    this.faults.push(error);
  }

  passedOver(what: string): void {
    this.names.push(what);
  }

  mark(): number {
    return this.families.length;
  }

  /** Takes back what was written since `mark`. */
  undo(mark: number): void {
    for (const { labels } of this.families.splice(mark)) this.labels.length -= labels.length;
    this.values.cut(mark);
  }

  /** Whether `block` has these series in this order from a place on; its labels there begin at `labelAt`. */
  isIn(block: Block, from: number, labelAt: number): boolean {
    for (let i = 0; i < this.families.length; i += 1) if (block.families[from + i] !== this.families[i]) return false;
    for (let i = 0; i < this.labels.length; i += 1) if (block.labels[labelAt + i] !== this.labels[i]) return false;
    return true;
  }

  /** Writes the series to the end of a block. */
  addTo(block: Block, numbers: Numbers): void {
    for (let i = 0; i < this.families.length; i += 1) block.add(this.families[i] as Family, this.values.of(i, numbers));
    for (const label of this.labels) block.labels.push(label);
  }
}

/** Sets the numbers of series that stand in a block from a place on. */
export function setReadings(block: Block, from: number, readings: Readings, numbers: Numbers): void {
  for (let i = 0; i < readings.length; i += 1) block.set(from + i, readings.of(i, numbers));
}
