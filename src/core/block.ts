import type { Family } from './metric.ts';

const ROOM = 8;

/**
 * Series that were made together, and a number for each: structures of arrays, since a large machine has tens of thousands.
 * Whoever holds its arrays may keep them: a block with other series has other arrays.
 */
export class Block {
  families: Family[] = [];
  /** The label values of one series after the other, in the order in which the family declares its labels. */
  labels: string[] = [];
  values = new Float64Array(ROOM);
  count = 0;
  /** Grows as soon as there are other series. */
  structure = 0;
  /** Grows as soon as a value is another. */
  moves = 0;

  /** Forgets the series from `place` on, whose labels begin at `labelAt`. */
  cut(place: number, labelAt: number): void {
    this.families = this.families.slice(0, place);
    this.labels = this.labels.slice(0, labelAt);
    this.values = this.values.slice();
    this.count = place;
    this.structure += 1;
    this.moves += 1;
  }

  /** Only after `cut`. The labels are pushed by the caller. */
  add(family: Family, value: number): void {
    if (this.count === this.values.length) {
      const larger = new Float64Array(this.count * 2);
      larger.set(this.values);
      this.values = larger;
    }
    this.families.push(family);
    this.values[this.count] = value;
    this.count += 1;
    this.moves += 1;
  }

  set(place: number, value: number): void {
    // NaN differs from itself: that costs a look at a place that has not moved.
    if (this.values[place] === value) return;
    this.values[place] = value;
    this.moves += 1;
  }
}
