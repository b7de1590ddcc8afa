import type { Block } from '../core/block.ts';
import type { Family } from '../core/metric.ts';
import { NUMBER_BYTES_MAX, writeNumber } from './numbers.ts';
import { type Line, prefixOf } from './order.ts';

const NEWLINE = 10;

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

/** Adds the series of a view that belong to these names. */
export function gather(
  view: View,
  names: ReadonlySet<string>,
  only: ReadonlySet<string> | undefined,
  found: Map<string, Line[]>,
): void {
  const { families, labels, id } = view;
  const isWanted = (name: string): boolean => names.has(name) && (only?.has(name) ?? true);
  let lastName = '';
  let lines: Line[] | undefined;
  let labelAt = 0;
  for (let place = 0; place < view.count; place += 1) {
    const family = families[place] as Family;
    const { name } = family.whole ?? family;
    if (name !== lastName) {
      lastName = name;
      lines = isWanted(name) ? (found.get(name) ?? []) : undefined;
      if (lines?.length === 0) found.set(name, lines);
    }
    lines?.push({ family, labels, labelAt, view: id, place });
    labelAt += family.labels.length;
  }
}

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

/** A page as it is before: by slot, which is the order on the page, the number, where its text is, whether it has moved, and whose it is. */
export interface Shown {
  readonly bytes: Buffer;
  readonly values: Float64Array;
  readonly starts: Int32Array;
  readonly lengths: Uint8Array;
  readonly moved: Uint8Array;
  readonly viewIds: Int32Array;
  readonly places: Int32Array;
}

/** A page while it is laid out. */
export class Composer implements Shown {
  readonly bytes: Buffer;
  readonly slots: number;
  readonly values: Float64Array;
  readonly starts: Int32Array;
  readonly lengths: Uint8Array;
  readonly moved: Uint8Array;
  readonly viewIds: Int32Array;
  readonly places: Int32Array;
  readonly sections: Section[] = [];
  length = 0;
  #slot = 0;

  constructor(room: number, slots: number) {
    this.bytes = Buffer.allocUnsafeSlow(room);
    this.slots = slots;
    this.values = new Float64Array(slots);
    this.starts = new Int32Array(slots);
    this.lengths = new Uint8Array(slots);
    this.moved = new Uint8Array(slots);
    this.viewIds = new Int32Array(slots);
    this.places = new Int32Array(slots);
  }

  #begin(family: Family, name: string, count: number): void {
    this.sections.push({ name, family, slotFrom: this.#slot, slotTo: this.#slot + count, byteFrom: this.length });
  }

  write(lines: readonly Line[], views: readonly View[], shown: Float64Array): void {
    const { family } = lines[0] as Line;
    this.#begin(family.whole ?? family, (family.whole ?? family).name, lines.length);
    const { bytes } = this;
    let at = this.length + bytes.write(family.header, this.length);
    let slot = this.#slot;
    for (const line of lines) {
      const { values, slots } = views[line.view] as View;
      const before = slots[line.place] as number;
      const value = (before < 0 ? values[line.place] : shown[before]) as number;
      at += bytes.write(prefixOf(line), at);
      const end = writeNumber(bytes, at, value);
      this.values[slot] = value;
      this.starts[slot] = at;
      this.lengths[slot] = end - at;
      this.viewIds[slot] = line.view;
      this.places[slot] = line.place;
      bytes[end] = NEWLINE;
      at = end + 1;
      slot += 1;
    }
    this.length = at;
    this.#slot = slot;
  }

  copy({ family, name, slotFrom, slotTo, byteFrom }: Section, byteTo: number, shown: Shown): void {
    const slot = this.#slot;
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
    this.#slot += slotTo - slotFrom;
  }
}
