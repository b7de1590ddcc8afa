import type { MetricType } from '../core/metric.ts';
import { decodeUtf8 } from '../core/utf8.ts';
import { parseExpositionInSteps, type TextFamily, type TextLabels } from './exposition_text.ts';

/** A family of a text file, as it is held from one scrape to the next: small, and nothing in it holds on to the text. */
export interface HeldFamily {
  readonly name: string;
  readonly type: MetricType;
  readonly help: string | undefined;
  /** The labels of all its series, sorted. */
  readonly labels: readonly string[];
  /** Values of these labels, empty where a series has none, and the value. */
  readonly rows: readonly { readonly values: readonly string[]; readonly value: number }[];
  /** The same of summaries and histograms, with their points in ascending order. */
  readonly compounds: readonly {
    readonly values: readonly string[];
    readonly points: readonly (readonly [number, number])[];
    readonly sum: number;
    readonly count: number;
  }[];
}

/** A copy, each text once: a part of a text would keep the whole text in memory. */
function createCopies(): (text: string) => string {
  const copies = new Map<string, string>();
  return (text) => {
    let copy = copies.get(text);
    if (copy === undefined) {
      copy = Buffer.from(text).toString();
      copies.set(copy, copy);
    }
    return copy;
  };
}

function held({ name, type, help, samples, compounds }: TextFamily): HeldFamily {
  const copy = createCopies();
  const found = new Set<string>();
  for (const series of [...samples, ...compounds]) for (const label of series.labels.keys()) found.add(label);
  const labels = [...found].sort().map(copy);
  const valuesOf = (given: TextLabels): string[] => labels.map((label) => copy(given.get(label) ?? ''));
  return {
    name: copy(name),
    type,
    help: help === undefined ? undefined : copy(help),
    labels,
    rows: samples.map((sample) => ({ values: valuesOf(sample.labels), value: sample.value })),
    compounds: compounds.map((each) => ({
      values: valuesOf(each.labels),
      points: [...each.points].sort(([a], [b]) => a - b),
      sum: each.sum,
      count: each.count,
    })),
  };
}

/** A value that is not UTF-8 would reach the scraper as another value; in comments and help it does no harm. */
const isSpoilt = ({ rows, compounds }: HeldFamily): boolean =>
  [...rows, ...compounds].some(({ values }) => values.some((value) => value.includes('\ufffd')));

/** Parses a file, and waits in between for what `pause` answers. Throws a `ParseError`. */
export async function parseHeld(bytes: Buffer, pause: () => Promise<void> | undefined): Promise<HeldFamily[]> {
  const text = decodeUtf8(bytes);
  const steps = parseExpositionInSteps(text);
  for (;;) {
    const step = steps.next();
    await pause();
    if (step.done !== true) continue;
    const families = step.value.map(held);
    // The replacement character may be in the file itself.
    if (families.some(isSpoilt) && !bytes.equals(Buffer.from(text))) throw new Error('a label value is not UTF-8');
    return families;
  }
}
