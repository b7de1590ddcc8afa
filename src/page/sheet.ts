import type { Block } from '../core/block.ts';
import type { Family } from '../core/metric.ts';
import { NUMBER_BYTES_MAX, writeNumber } from './numbers.ts';
import { type Line, prefixOf } from './order.ts';

/** What a page shows of a block. */
export interface View {
  readonly id: number;
  readonly block: Block;
  readonly structure: number;
  moves: number;
  readonly count: number;
  readonly families: readonly Family[];
  readonly labels: readonly string[];
  /** The names below whose headers its series stand. */
  readonly names: ReadonlySet<string>;
  /** Where each series is on the page; -1 where it is not shown. */
  readonly slots: Int32Array;
  /** What the block holds now, as long as it is laid out so. */
  readonly values: Float64Array;
}

/** Where a family is on the page. */
export interface Section {
  readonly name: string;
  readonly family: Family;
  readonly slotFrom: number;
  readonly slotTo: number;
  /** Where its header begins. */
  byteFrom: number;
}

const NEWLINE = 10;

/** At most three bytes of UTF-8 for each code unit. */
export function roomFor(lines: readonly Line[]): number {
  let room = 3 * (lines[0] as Line).family.header.length;
  for (const { family, labels, labelAt } of lines) {
    room += NUMBER_BYTES_MAX + 1;
    for (const part of family.parts) room += part.length;
    // Escaping doubles a character at most.
    for (let i = 0; i < family.labels.length; i += 1) room += 3 * 2 * (labels[labelAt + i] as string).length;
  }
  return room;
}

/**
 * The lines of a page: their bytes, and by slot, which is the order of the lines, the number, where its text is, whether it has
 * moved, and whose it is. A page has two, and lays out from one to the other: the arrays of a large one cost more than what
 * is written to them.
 */
export class Sheet {
  bytes: Buffer = Buffer.allocUnsafeSlow(0);
  length = 0;
  values = new Float64Array(0);
  starts = new Int32Array(0);
  lengths = new Uint8Array(0);
  moved = new Uint8Array(0);
  viewIds = new Int32Array(0);
  places = new Int32Array(0);
  /** How many of these are in use. */
  slots = 0;
  sections: Section[] = [];

  /** Forgets what is there, and makes room. */
  begin(room: number, slots: number): void {
    this.length = 0;
    this.slots = 0;
    this.sections = [];
    this.reserve(room);
    if (this.values.length >= slots) return;
    const some = slots + (slots >> 3);
    this.values = new Float64Array(some);
    this.starts = new Int32Array(some);
    this.lengths = new Uint8Array(some);
    this.moved = new Uint8Array(some);
    this.viewIds = new Int32Array(some);
    this.places = new Int32Array(some);
  }

  /** Makes room for so many bytes; those that are there are lost. */
  reserve(room: number): void {
    if (this.bytes.length < room) this.bytes = Buffer.allocUnsafeSlow(room + (room >> 3));
  }

  #begin(family: Family, name: string, count: number): void {
    this.sections.push({ name, family, slotFrom: this.slots, slotTo: this.slots + count, byteFrom: this.length });
  }

  write(lines: readonly Line[], views: readonly View[], shown: Float64Array): void {
    const { family } = lines[0] as Line;
    this.#begin(family.whole ?? family, (family.whole ?? family).name, lines.length);
    const { bytes } = this;
    let at = this.length + bytes.write(family.header, this.length);
    let slot = this.slots;
    for (const line of lines) {
      const { values, slots } = views[line.view] as View;
      const before = slots[line.place] as number;
      const value = (before < 0 ? values[line.place] : shown[before]) as number;
      at += bytes.write(prefixOf(line), at);
      const end = writeNumber(bytes, at, value);
      this.values[slot] = value;
      this.starts[slot] = at;
      this.lengths[slot] = end - at;
      this.moved[slot] = 0;
      this.viewIds[slot] = line.view;
      this.places[slot] = line.place;
      bytes[end] = NEWLINE;
      at = end + 1;
      slot += 1;
    }
    this.length = at;
    this.slots = slot;
  }

  copy({ family, name, slotFrom, slotTo, byteFrom }: Section, shown: Sheet): void {
    const slot = this.slots;
    const last = slotTo - 1;
    const byteTo = (shown.starts[last] as number) + (shown.lengths[last] as number) + 1;
    const by = this.length - byteFrom;
    this.#begin(family, name, slotTo - slotFrom);
    shown.bytes.copy(this.bytes, this.length, byteFrom, byteTo);
    this.values.set(shown.values.subarray(slotFrom, slotTo), slot);
    this.lengths.set(shown.lengths.subarray(slotFrom, slotTo), slot);
    this.moved.set(shown.moved.subarray(slotFrom, slotTo), slot);
    this.viewIds.set(shown.viewIds.subarray(slotFrom, slotTo), slot);
    this.places.set(shown.places.subarray(slotFrom, slotTo), slot);
    for (let i = slotFrom; i < slotTo; i += 1) this.starts[slot + i - slotFrom] = (shown.starts[i] as number) + by;
    this.length += byteTo - byteFrom;
    this.slots += slotTo - slotFrom;
  }
}
