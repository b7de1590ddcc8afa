import { escapeLabel } from '../core/format.ts';
import type { Family } from '../core/metric.ts';

/** Compares as Go compares bytes of UTF-8: by code point, which differs from UTF-16 order beyond U+FFFF only. */
export function compare(a: string, b: string): number {
  if (a === b) return 0;
  const shorter = Math.min(a.length, b.length);
  for (let i = 0; i < shorter; i += 1) {
    const x = a.charCodeAt(i);
    const y = b.charCodeAt(i);
    if (x === y) continue;
    const surrogates = Number(x >= 0xd800 && x <= 0xdfff) - Number(y >= 0xd800 && y <= 0xdfff);
    return surrogates !== 0 ? surrogates : x - y;
  }
  return a.length - b.length;
}

/** One line of a family: which series, and where its number is held. */
export interface Line {
  readonly family: Family;
  /** All labels of the block; those of this line begin at `labelAt`. */
  readonly labels: readonly string[];
  readonly labelAt: number;
  readonly view: number;
  readonly place: number;
}

/** The number of labels without the bound of a histogram or the quantile of a summary. */
const ownLabels = (family: Family): number => (family.whole ?? family).labels.length;

/** Compares two series by number of labels and then by label values in the order of output; bounds are left as written. */
function compareSeries(a: Line, b: Line): number {
  const count = ownLabels(a.family);
  const more = count - ownLabels(b.family);
  if (more !== 0) return more;
  for (let i = 0; i < count; i += 1) {
    const x = a.labels[a.labelAt + (a.family.order?.[i] ?? i)] as string;
    const y = b.labels[b.labelAt + (b.family.order?.[i] ?? i)] as string;
    const order = compare(x, y);
    if (order !== 0) return order;
  }
  return 0;
}

const sameNames = (a: Family, b: Family): boolean =>
  a === b || [...a.labels].sort().join() === [...b.labels].sort().join();

/** Whether `next` is a line of the same histogram or summary as the one before, and not its beginning once more. */
const goesOn = (before: Line, next: Line): boolean =>
  next.family.whole !== undefined &&
  before.view === next.view &&
  before.place + 1 === next.place &&
  before.family !== next.family.whole.compound?.count;

const ALREADY = 'was collected before with the same name and label values';

export type Drop = (why: string, line: Line) => void;

/** Whether two families have the same lines in the same order, but for the family's name: then one's order is the other's. */
function sameSeries(a: readonly Line[], b: readonly Line[]): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i += 1) {
    const x = a[i] as Line;
    const y = b[i] as Line;
    const { length } = x.family.labels;
    if (length !== y.family.labels.length || x.family.order !== y.family.order || x.family.whole !== y.family.whole)
      return false;
    for (let k = 0; k < length; k += 1) if (x.labels[x.labelAt + k] !== y.labels[y.labelAt + k]) return false;
  }
  return true;
}

/** Puts the lines of one family after the other into their order. Families of the same devices are sorted once. */
export function createSorter(drop: Drop): (lines: readonly Line[]) => readonly Line[] {
  let before: readonly Line[] = [];
  /** By place in the order, the place as written. */
  let order: readonly number[] = [];

  const sort = (lines: readonly Line[]): number[] => {
    const places = lines.map((_, place) => place);
    let ascending = true;
    for (let i = 1; ascending && i < lines.length; i += 1)
      ascending = compareSeries(lines[i - 1] as Line, lines[i] as Line) <= 0;
    // The sort is stable: of two that are the same, the one written first comes first, with its parts together.
    if (!ascending) places.sort((a, b) => compareSeries(lines[a] as Line, lines[b] as Line));
    return places;
  };

  return (lines) => {
    const { type } = (lines[0] as Line).family;
    const fitting = lines.filter((line) => {
      const fits = line.family.type === type;
      if (!fits) drop(`was collected before as ${type}, not ${line.family.type}`, line);
      return fits;
    });
    if (!sameSeries(before, fitting)) order = sort(fitting);
    before = fitting;
    const shown: Line[] = [];
    let isDuplicate = false;
    let last: Line | undefined;
    for (const place of order) {
      const line = fitting[place] as Line;
      if (last === undefined || !goesOn(last, line)) {
        const first = shown.at(-1);
        isDuplicate =
          first !== undefined && compareSeries(first, line) === 0 && sameNames(wholeOf(first), wholeOf(line));
        if (isDuplicate) drop(ALREADY, line);
      }
      last = line;
      if (!isDuplicate) shown.push(line);
    }
    return shown;
  };
}

const wholeOf = ({ family }: Line): Family => family.whole ?? family;

/** `name{a="…",b="…"} ` */
export function prefixOf({ family, labels, labelAt }: Line): string {
  let prefix = family.parts[0] as string;
  for (let i = 0; i < family.labels.length; i += 1)
    prefix += escapeLabel(labels[labelAt + (family.order?.[i] ?? i)] as string) + family.parts[i + 1];
  return prefix;
}
