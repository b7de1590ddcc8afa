import { escapeLabel } from './format.ts';
import type { Family } from './metric.ts';

/** Which series a family has, in the order they were written: nearly always the same at every scrape, and so made once. */
export interface Layout {
  readonly count: number;
  /** The label values of one series after the other, in the order in which the family declares its labels. */
  readonly labels: readonly string[];
  /** The text of a series up to its number. */
  readonly prefixes: readonly string[];
  /** The places of the series in the order of output, without duplicates; `undefined` where they were written so. */
  readonly order: readonly number[] | undefined;
  /** The places of series that were written before. */
  readonly duplicates: readonly number[];
  /** What was rendered last: most values are the same at the next scrape. */
  readonly rendered: Rendered;
}

export interface Rendered {
  /** By place. */
  values: readonly (number | string)[];
  readonly lines: string[];
  /** The whole family, with its header. */
  text: string;
}

/** Larger families are laid out anew at every scrape rather than held in memory. */
const REMEMBERED_SERIES_MAX = 4096;
const remembered = new WeakMap<Family, Layout>();

/** How the family was laid out last. */
export const lastLayout = (family: Family): Layout | undefined => remembered.get(family);

/** Joined by it, values sort as they do one by one: it is below all that a value can hold, NUL itself being escaped. */
const BETWEEN = '\0\0';
const escapeNul = (value: string): string => (value.includes('\0') ? value.replaceAll('\0', '\0\u0001') : value);

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

/** `name{a="…",b="…"} ` */
export function prefixOf(family: Family, values: readonly string[]): string {
  let prefix = family.parts[0] as string;
  for (let i = 0; i < values.length; i += 1)
    prefix += escapeLabel(values[family.order?.[i] ?? i] as string) + family.parts[i + 1];
  return prefix;
}

/** The label values of one series, in the order of output, as one text. */
export function keyOf({ order, labels: { length } }: Family, labels: readonly string[], place: number): string {
  const values = labels.slice(place * length, (place + 1) * length).map(escapeNul);
  return (order === undefined ? values : order.map((i) => values[i] as string)).join(BETWEEN);
}

export function layOut(family: Family, labels: readonly string[], prefixes: readonly string[]): Layout {
  const count = prefixes.length;
  const keys = prefixes.map((_, place) => keyOf(family, labels, place));
  const ascending = keys.every((key, i) => i === 0 || compare(keys[i - 1] as string, key) < 0);
  const rendered: Rendered = { values: [], lines: [], text: '' };
  const places = ascending ? { order: undefined, duplicates: [] } : sorted(keys);
  const layout = { count, labels, prefixes, ...places, rendered };
  if (count <= REMEMBERED_SERIES_MAX) remembered.set(family, layout);
  return layout;
}

function sorted(keys: readonly string[]): Pick<Layout, 'order' | 'duplicates'> {
  const places = keys.map((_, place) => place);
  // The sort is stable: of two series that are the same, the one written first comes first.
  places.sort((a, b) => compare(keys[a] as string, keys[b] as string));
  const order: number[] = [];
  const duplicates: number[] = [];
  for (const place of places) {
    const before = order.at(-1);
    if (before !== undefined && keys[before] === keys[place]) duplicates.push(place);
    else order.push(place);
  }
  return { order, duplicates };
}
