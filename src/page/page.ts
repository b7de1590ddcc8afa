import type { Block } from '../core/block.ts';
import { formatFloat } from '../core/format.ts';
import type { Family } from '../core/metric.ts';
import { NUMBER_BYTES_MAX, writeNumber } from './numbers.ts';
import { createSorter, type Drop, type Line, prefixOf } from './order.ts';
import { roomFor, type Section, Sheet, type View } from './sheet.ts';
import type { Numbers, Part } from './tape.ts';

/** What collectors hand to a page: the blocks of one run. */
export interface Written {
  readonly blocks: readonly Block[];
  readonly blockCount: number;
}

export interface Dropped {
  /** Why and what: the first few only. */
  readonly described: readonly string[];
  readonly count: number;
}

const DESCRIBED_MAX = 10;
/** Parts of the page that are compressed apart, so that one in which nothing moved is not compressed again. */
const SEGMENT_BYTES = 32 << 10;

/** A run of whole families. */
export interface Segment extends Part {
  from: number;
  to: number;
  slotTo: number;
  /** Another one when a byte of it is another. */
  version: number;
  /** Another one when more than its numbers is another. */
  readonly layout: number;
}

/**
 * An answer in the text format that lives as long as what it shows: families by name, series by number of labels and then by
 * label values. As long as the series are the same only the numbers that moved are written, each at its place. Families whose
 * series change are laid out again alone; the bytes of the others are moved as they are.
 */
export class Page {
  readonly #only: ReadonlySet<string> | undefined;
  /** What each of those who write shows, in the order in which the first to write a series has it. */
  readonly #parts: View[][] = [];
  readonly #viewById: (View | undefined)[] = [];
  /** Names whose series are others than those on the page. */
  readonly #stale = new Set<string>();
  #isStale = false;
  #sheet = new Sheet();
  #spare = new Sheet();
  #movedCount = 0;
  #dropped: [name: string, what: string][] = [];
  readonly segments: Segment[] = [];
  /** By segment, its first section. */
  #segmentStarts: number[] = [];
  #versions = 0;
  /** How often families were laid out. */
  layouts = 0;

  /** `only`: the families to show; all without it. */
  constructor(only?: ReadonlySet<string>) {
    this.#only = only;
  }

  get dropped(): Dropped {
    return { described: this.#dropped.slice(0, DESCRIBED_MAX).map(([, what]) => what), count: this.#dropped.length };
  }

  /** Shows from now on at `part` what `written` holds at this moment. */
  take(part: number, { blocks, blockCount }: Written): void {
    const views = this.#parts[part] ?? [];
    this.#parts[part] = views;
    for (let i = 0; i < blockCount; i += 1) {
      const block = blocks[i] as Block;
      const view = views[i];
      if (
        view !== undefined &&
        view.block === block &&
        view.structure === block.structure &&
        view.count === block.count
      )
        this.#follow(view, block);
      else {
        if (view !== undefined) this.#remove(view);
        views[i] = this.#add(block);
      }
    }
    while (views.length > blockCount) this.#remove(views.pop() as View);
  }

  /** Shows nothing at `part`. */
  clear(part: number): void {
    const views = this.#parts[part] ?? [];
    while (views.length > 0) this.#remove(views.pop() as View);
  }

  #add(block: Block): View {
    let id = this.#viewById.indexOf(undefined);
    if (id < 0) id = this.#viewById.length;
    const names = new Set<string>();
    let last: Family | undefined;
    for (const family of block.families) {
      if (family !== last) names.add((family.whole ?? family).name);
      last = family;
    }
    const { structure, moves, count, families, labels } = block;
    const slots = new Int32Array(count).fill(-1);
    const view = { id, block, structure, moves, count, families, labels, names, slots, values: block.values };
    this.#viewById[id] = view;
    this.#touch(names);
    return view;
  }

  #remove(view: View): void {
    this.#viewById[view.id] = undefined;
    this.#touch(view.names);
  }

  #touch(names: ReadonlySet<string>): void {
    for (const name of names) this.#stale.add(name);
    this.#isStale ||= names.size > 0;
  }

  #follow(view: View, block: Block): void {
    if (view.moves === block.moves) return;
    view.moves = block.moves;
    const { slots, count } = view;
    const now = block.values;
    const { values, moved } = this.#sheet;
    for (let i = 0; i < count; i += 1) {
      const slot = slots[i] as number;
      if (slot < 0) continue;
      const value = now[i] as number;
      if (value === values[slot]) continue;
      values[slot] = value;
      this.#movedCount += 1 - (moved[slot] as number);
      moved[slot] = 1;
    }
  }

  /** Where the numbers of the text are. */
  get numbers(): Numbers {
    return this.#sheet;
  }

  /** The text as it is now, until the next call. */
  render(): Buffer {
    if (this.#isStale) this.#layOut();
    if (this.#movedCount > 0) this.#patch();
    return this.#sheet.bytes.subarray(0, this.#sheet.length);
  }

  /** Writes what moved: at its place where it is as long as before, else with all that follows one by one. */
  #patch(): void {
    const { bytes, starts, lengths, moved, values } = this.#sheet;
    const number = numberBytes;
    let longer = 0;
    let slot = -1;
    let segment = 0;
    for (let left = this.#movedCount; left > 0; left -= 1) {
      slot = moved.indexOf(1, slot + 1);
      const start = starts[slot] as number;
      while (start >= (this.segments[segment] as Segment).to) segment += 1;
      this.#versions += 1;
      (this.segments[segment] as Segment).version = this.#versions;
      const length = writeNumber(number, 0, values[slot] as number);
      if (length === lengths[slot]) {
        for (let i = 0; i < length; i += 1) bytes[start + i] = number[i] as number;
        moved[slot] = 0;
      } else longer += 1;
    }
    this.#movedCount = 0;
    if (longer > 0) this.#shift(longer);
  }

  #shift(count: number): void {
    const sheet = this.#sheet;
    const { bytes: from, starts, lengths, moved, values, sections, slots } = sheet;
    this.#spare.reserve(sheet.length + count * NUMBER_BYTES_MAX);
    const into = this.#spare.bytes;
    let copied = 0;
    let at = 0;
    let shifted = 0;
    let section = 0;
    for (let slot = moved.indexOf(1); slot < slots; slot += 1) {
      const start = starts[slot] as number;
      for (; section < sections.length && (sections[section] as Section).slotFrom <= slot; section += 1)
        (sections[section] as Section).byteFrom += shifted;
      if (moved[slot] === 0) {
        starts[slot] = start + shifted;
        continue;
      }
      moved[slot] = 0;
      from.copy(into, at, copied, start);
      at += start - copied;
      copied = start + (lengths[slot] as number);
      starts[slot] = at;
      const end = writeNumber(into, at, values[slot] as number);
      lengths[slot] = end - at;
      at = end;
      shifted = at - copied;
    }
    for (; section < sections.length; section += 1) (sections[section] as Section).byteFrom += shifted;
    from.copy(into, at, copied, sheet.length);
    sheet.length += shifted;
    sheet.bytes = into;
    this.#spare.bytes = from;
    this.#placeSegments();
  }

  /** Lays out the families whose series are others, and moves the rest to where it is from now on. */
  #layOut(): void {
    const before = this.#sheet.sections;
    this.#touchCollisions(before);
    const stale = this.#stale;
    const dropped = this.#dropped.filter(([name]) => !stale.has(name));
    const lines = this.#linesOf(stale, dropped);
    this.#dropped = dropped;
    const kept = before.filter(({ name }) => !stale.has(name));
    this.#compose(kept, lines);
    stale.clear();
    this.#isStale = false;
    this.layouts += 1;
  }

  /** A histogram `x` has series named `x_sum` and so on, so whether another family may have these names depends on it. */
  #touchCollisions(sections: readonly Section[]): void {
    const isCompound = new Set<string>();
    for (const { name, family } of sections) if (isWhole(family)) isCompound.add(name);
    for (const view of this.#viewById)
      for (const family of view?.families ?? []) if (family.whole !== undefined) isCompound.add(family.whole.name);
    for (const name of [...this.#stale])
      if (isCompound.has(name)) for (const suffix of SUFFIXES) this.#stale.add(name + suffix);
  }

  /** The lines of these families in their order, by name. */
  #linesOf(names: ReadonlySet<string>, dropped: [string, string][]): Map<string, readonly Line[]> {
    const found = new Map<string, Line[]>();
    for (const views of this.#parts) {
      for (const view of views ?? []) {
        if (view.names.isDisjointFrom(names)) continue;
        gather(view, names, this.#only, found);
      }
    }
    const drop: Drop = (why, line) => {
      const value = (this.#viewById[line.view] as View).values[line.place] as number;
      dropped.push([(line.family.whole ?? line.family).name, `${why}: ${prefixOf(line)}${formatFloat(value)}`]);
    };
    this.#dropCollisions(found, drop);
    const sort = createSorter(drop);
    return new Map([...found].map(([name, all]) => [name, sort(all)]));
  }

  #dropCollisions(found: Map<string, Line[]>, drop: Drop): void {
    for (const [name, lines] of found) {
      const suffix = SUFFIXES.find((each) => name.endsWith(each));
      if (suffix === undefined) continue;
      const base = name.slice(0, -suffix.length);
      const kept = this.#stale.has(base) ? undefined : this.#sheet.sections.find((each) => each.name === base);
      const type = (found.get(base)?.[0] ?? kept)?.family.type;
      if (type !== 'histogram' && (type !== 'summary' || suffix === '_bucket')) continue;
      for (const line of lines) drop(`has the name of a part of the ${type} ${base}`, line);
      found.delete(name);
    }
  }

  #compose(kept: readonly Section[], lines: ReadonlyMap<string, readonly Line[]>): void {
    const names = [...kept.map(({ name }) => name), ...lines.keys()].sort();
    const keptByName = new Map(kept.map((section) => [section.name, section]));
    let slots = 0;
    let room = this.#sheet.length;
    for (const { slotFrom, slotTo } of kept) slots += slotTo - slotFrom;
    for (const all of lines.values()) {
      slots += all.length;
      room += roomFor(all);
    }
    const [shown, next] = [this.#sheet, this.#spare];
    next.begin(room, slots);
    for (const name of names) {
      const section = keptByName.get(name);
      if (section !== undefined) next.copy(section, shown);
      else next.write(lines.get(name) as readonly Line[], this.#viewById as readonly View[], shown.values);
    }
    [this.#sheet, this.#spare] = [next, shown];
    this.#placeViews();
    this.segments.length = 0;
    this.#placeSegments();
  }

  #placeViews(): void {
    const { slots, moved, viewIds, places } = this.#sheet;
    for (const view of this.#viewById) view?.slots.fill(-1);
    this.#movedCount = 0;
    for (let slot = 0; slot < slots; slot += 1) {
      (this.#viewById[viewIds[slot] as number] as View).slots[places[slot] as number] = slot;
      this.#movedCount += moved[slot] as number;
    }
  }

  /** Segments keep the families that they had, wherever these are now; new ones are made at the first call. */
  #placeSegments(): void {
    const { segments } = this;
    const { sections, length } = this.#sheet;
    if (segments.length === 0) {
      for (const { byteFrom, slotFrom, slotTo } of sections) {
        const last = segments.at(-1);
        if (last !== undefined && byteFrom - last.from < SEGMENT_BYTES) {
          last.slotTo = slotTo;
          continue;
        }
        this.#versions += 1;
        segments.push({ from: byteFrom, to: 0, slotFrom, slotTo, version: this.#versions, layout: this.#versions });
      }
      this.#segmentStarts = segments.map(({ from }) => sections.findIndex(({ byteFrom }) => byteFrom === from));
    }
    for (const [i, segment] of segments.entries()) {
      const next = sections[this.#segmentStarts[i + 1] ?? -1];
      segment.from = (sections[this.#segmentStarts[i] as number] as Section).byteFrom;
      segment.to = next?.byteFrom ?? length;
    }
  }
}

/** Whether a family is shown as several series, with names of their own. */
const isWhole = ({ type }: Family): boolean => type === 'histogram' || type === 'summary';

const SUFFIXES = ['_sum', '_count', '_bucket'] as const;
const numberBytes = new Uint8Array(NUMBER_BYTES_MAX);

function gather(
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
