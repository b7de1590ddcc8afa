import type { TextFamily } from '../parse/exposition_text.ts';

type Labels = readonly (readonly [name: string, value: string])[];

/** A family of a scrape: what each series is worth and its labels, by its text as PromQL writes it. */
interface ScrapedFamily {
  readonly type: string;
  readonly values: ReadonlyMap<string, number>;
  readonly labels: ReadonlyMap<string, Labels>;
}

export type Scrape = ReadonlyMap<string, ScrapedFamily>;

interface NamedFamily {
  readonly name: string;
  readonly type: string;
  readonly series: number;
}

interface Side {
  readonly place: string;
  readonly families: number;
  readonly series: number;
}

export interface Comparison {
  readonly first: Side;
  readonly second: Side;
  readonly lost: {
    readonly families: readonly NamedFamily[];
    readonly types: readonly { readonly name: string; readonly first: string; readonly second: string }[];
    readonly series: readonly string[];
  };
  /** Series that have further labels in the second: what selects them still does. */
  readonly labelled: readonly { readonly first: string; readonly second: string }[];
  readonly gained: { readonly families: readonly NamedFamily[]; readonly series: readonly string[] };
  readonly values: readonly { readonly series: string; readonly first: number; readonly second: number }[];
  /** Names of families about the exporter itself. */
  readonly exporter: { readonly lost: readonly string[]; readonly gained: readonly string[] };
}

/** What tells of the exporter and not of the machine: another exporter has others. */
const OF_THE_EXPORTER = /^(go|keyhole|nodejs|process|promhttp)_|^node_exporter_build_info$/;
/** Times that an exporter takes are its own. */
const OWN_VALUES = /^node_scrape_collector_duration_seconds$/;

/** A value may be this many times as far away as it moved between the two scrapes of the first. */
const MOVES = 5;
const SHARE = 0.05;

const textOf = (name: string, labels: Labels): string => {
  const parts = labels.map(([key, value]) => `${key}=${JSON.stringify(value)}`);
  return parts.length === 0 ? name : `${name}{${parts.join(',')}}`;
};

/** In order. To Prometheus a label without a value is none. */
const sorted = (labels: Iterable<readonly [string, string]>): Labels =>
  [...labels].filter(([, value]) => value !== '').sort(([a], [b]) => (a < b ? -1 : 1));

/** Histograms and summaries count as their `_count` and `_sum`, and one series for each bucket or quantile. */
export function seriesOf(families: readonly TextFamily[]): Scrape {
  const scrape = new Map<string, ScrapedFamily>();
  for (const { name, type, samples, compounds } of families) {
    const [values, labelsOf] = [new Map<string, number>(), new Map<string, Labels>()];
    const add = (member: string, labels: Iterable<readonly [string, string]>, value: number): void => {
      const own = sorted(labels);
      const text = textOf(member, own);
      values.set(text, value);
      labelsOf.set(text, own);
    };
    for (const { labels, value } of samples) add(name, labels, value);
    for (const { labels, points, sum, count } of compounds) {
      add(`${name}_sum`, labels, sum);
      add(`${name}_count`, labels, count);
      const [suffix, key] = type === 'histogram' ? ['_bucket', 'le'] : ['', 'quantile'];
      for (const [point, value] of points) add(`${name}${suffix}`, [...labels, [key, String(point)]], value);
    }
    scrape.set(name, { type, values, labels: labelsOf });
  }
  return scrape;
}

const sideOf = (place: string, scrape: Scrape): Side => ({
  place,
  families: scrape.size,
  series: [...scrape.values()].reduce((sum, { values }) => sum + values.size, 0),
});

const namedFamily = (name: string, { type, values }: ScrapedFamily): NamedFamily => ({
  name,
  type,
  series: values.size,
});

/** Whether a value is one that the first could have given between its two scrapes, or shortly before or after. */
export function isNear(value: number, before: number, later: number): boolean {
  if (Object.is(value, before) || Object.is(value, later)) return true;
  const slack = Math.max(MOVES * Math.abs(later - before), SHARE * Math.max(Math.abs(before), Math.abs(later)));
  return value >= Math.min(before, later) - slack && value <= Math.max(before, later) + slack;
}

const missingIn = (families: Scrape, others: Scrape): [string, ScrapedFamily][] =>
  [...families].filter(([name]) => !others.has(name));

/** The series of families that both have, which only `families` has. */
const seriesMissingIn = (families: Scrape, others: Scrape): [string, Labels][] =>
  [...families].flatMap(([name, { labels }]) => {
    const theirs = others.get(name)?.labels;
    return theirs === undefined ? [] : [...labels].filter(([series]) => !theirs.has(series));
  });

/** Finds, for series that are gone, new ones that have the same labels and more. */
function relabelled(gone: readonly [string, Labels][], come: readonly [string, Labels][]): Map<string, string> {
  const nameOf = (series: string): string => series.replace(/\{.*/s, '');
  const byName = Map.groupBy(come, ([series]) => nameOf(series));
  const found = new Map<string, string>();
  for (const [series, labels] of gone) {
    const same = byName.get(nameOf(series))?.find(([, more]) => {
      const theirs = new Map(more);
      return labels.every(([key, value]) => theirs.get(key) === value);
    });
    if (same !== undefined) found.set(series, same[0]);
  }
  return found;
}

/** What both scrapes of the first have: a series that came or went meanwhile is nobody's loss. */
function steady(before: Scrape, later: Scrape): Scrape {
  const kept = new Map<string, ScrapedFamily>();
  for (const [name, { type, values, labels }] of before) {
    const again = later.get(name)?.values;
    if (again === undefined) continue;
    const both = <T>(map: ReadonlyMap<string, T>): Map<string, T> =>
      new Map([...map].filter(([key]) => again.has(key)));
    kept.set(name, { type, values: both(values), labels: both(labels) });
  }
  return kept;
}

const ofTheMachine = (scrape: Scrape): Scrape => new Map([...scrape].filter(([name]) => !OF_THE_EXPORTER.test(name)));
const namesOfTheExporter = (scrape: Scrape): string[] =>
  [...scrape.keys()].filter((name) => OF_THE_EXPORTER.test(name));

export function compare(
  first: { readonly place: string; readonly before: Scrape; readonly later: Scrape },
  second: { readonly place: string; readonly scrape: Scrape },
): Comparison {
  const before = ofTheMachine(first.before);
  const mine = steady(before, first.later);
  const theirs = ofTheMachine(second.scrape);
  const shared = [...mine].filter(([name]) => theirs.has(name));
  const values = shared.flatMap(([name, { values: firsts }]) =>
    OWN_VALUES.test(name)
      ? []
      : [...firsts].flatMap(([series, value]) => {
          const now = theirs.get(name)?.values.get(series);
          const later = first.later.get(name)?.values.get(series) ?? value;
          return now === undefined || isNear(now, value, later) ? [] : [{ series, first: value, second: now }];
        }),
  );
  const [gone, come] = [seriesMissingIn(mine, theirs), seriesMissingIn(theirs, before)];
  const again = relabelled(gone, come);
  const matched = new Set(again.values());
  const [own, others] = [namesOfTheExporter(first.before), namesOfTheExporter(second.scrape)];
  return {
    first: sideOf(first.place, first.before),
    second: sideOf(second.place, second.scrape),
    lost: {
      families: missingIn(mine, theirs).map(([name, family]) => namedFamily(name, family)),
      types: shared.flatMap(([name, { type }]) => {
        const other = theirs.get(name)?.type ?? type;
        return other === type ? [] : [{ name, first: type, second: other }];
      }),
      series: gone.map(([series]) => series).filter((series) => !again.has(series)),
    },
    labelled: [...again].map(([one, other]) => ({ first: one, second: other })),
    gained: {
      families: missingIn(theirs, before).map(([name, family]) => namedFamily(name, family)),
      series: come.map(([series]) => series).filter((series) => !matched.has(series)),
    },
    values,
    exporter: {
      lost: own.filter((name) => !others.includes(name)),
      gained: others.filter((name) => !own.includes(name)),
    },
  };
}

/** Whether the first has a family, a type or a series that the second has not. */
export const isLoss = ({ lost }: Comparison): boolean =>
  lost.families.length + lost.types.length + lost.series.length > 0;
