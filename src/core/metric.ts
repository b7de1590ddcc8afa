import assert from 'node:assert/strict';
import { LimitError } from './errors.ts';
import { escapeHelp } from './format.ts';

export type MetricType = 'counter' | 'gauge' | 'untyped' | 'histogram' | 'summary';

/** A metric family: declared once, immutable, with every constant byte of its lines rendered ahead. */
export interface Family<L extends readonly string[] = readonly string[]> {
  /** What a kernel's own name holds outside `[a-zA-Z0-9_:]` has become `_`. */
  readonly name: string;
  readonly type: MetricType;
  readonly help: string;
  /** In the order in which `Writer.sample` takes their values. */
  readonly labels: L;
  /** The labels' places in the order of output, which is by name; `undefined` where that is the order declared. */
  readonly order: readonly number[] | undefined;
  /** `# HELP …\n# TYPE …\n` */
  readonly header: string;
  /** `name{a="`, `",b="`, `"} `: the text before each label value, in the order of output, then the text before the number. */
  readonly parts: readonly string[];
  /** The histogram or summary that this is a part of: it stands below its header, beside the other parts of a series. */
  readonly whole?: Family;
  /** The parts of a histogram or a summary. */
  readonly compound?: Compound;
}

/** The families of the lines of a histogram or a summary: one for each bound or quantile, which is the last label; sum; count. */
export interface Compound {
  readonly point: Family;
  readonly sum: Family;
  readonly count: Family;
}

/** Throws for a family that is neither a histogram nor a summary. */
export function compoundOf({ name, compound }: Family): Compound {
  assert.ok(compound !== undefined, `${name} is neither a histogram nor a summary`);
  return compound;
}

const LABEL = /^[a-zA-Z_][a-zA-Z0-9_]*$/;

/** The name that the text format can carry. */
const textName = (name: string): string => name.replace(/[^a-zA-Z0-9_:]/gu, '_').replace(/^(?=[0-9])/, '_');

const partsOf = (name: string, labels: readonly string[]): string[] =>
  labels.length === 0
    ? [`${name} `]
    : [...labels.map((label, i) => (i === 0 ? `${name}{${label}="` : `",${label}="`)), '"} '];

/** A bound or a quantile stands behind the other labels, wherever its name would be. */
function compounded(whole: Omit<Family, 'compound'>): Compound {
  const { name, type, labels } = whole;
  const inOrder = whole.order?.map((i) => labels[i] as string) ?? labels;
  const part = (suffix: string, ...last: readonly string[]): Family => ({
    ...whole,
    whole,
    name: `${name}${suffix}`,
    labels: [...labels, ...last],
    order: whole.order === undefined ? undefined : [...whole.order, ...last.map((_, i) => labels.length + i)],
    parts: partsOf(`${name}${suffix}`, [...inOrder, ...last]),
  });
  const point = type === 'histogram' ? part('_bucket', 'le') : part('', 'quantile');
  return { point, sum: part('_sum'), count: part('_count') };
}

function family<const L extends readonly string[]>(
  type: MetricType,
  rawName: string,
  help: string,
  labels: L,
): Family<L> {
  assert.ok(rawName !== '', 'a family needs a name');
  for (const label of labels) assert.match(label, LABEL, `${rawName}: a label's name`);
  const name = textName(rawName);
  const sorted = [...labels].sort();
  const order = sorted.every((label, i) => label === labels[i])
    ? undefined
    : sorted.map((label) => labels.indexOf(label));
  const header = `# HELP ${name} ${escapeHelp(help)}\n# TYPE ${name} ${type}\n`;
  const declared = { name, type, help, labels, order, header, parts: partsOf(name, sorted) };
  return type === 'histogram' || type === 'summary' ? { ...declared, compound: compounded(declared) } : declared;
}

type Declare = <const L extends readonly string[]>(name: string, help: string, ...labels: L) => Family<L>;

export const counter: Declare = (name, help, ...labels) => family('counter', name, help, labels);
export const gauge: Declare = (name, help, ...labels) => family('gauge', name, help, labels);
export const untyped: Declare = (name, help, ...labels) => family('untyped', name, help, labels);
export const histogram: Declare = (name, help, ...labels) => family('histogram', name, help, labels);
export const summary: Declare = (name, help, ...labels) => family('summary', name, help, labels);

/** A network driver with a counter for each queue has some ten thousands of statistics. */
const FAMILIES_MAX = 32_768;

/** Families whose names come from the kernel's own field names; the pattern, with one `<field>` or more, is what the docs show. */
export interface DynamicFamily<L extends readonly string[] = readonly string[]> {
  readonly pattern: string;
  readonly type: MetricType;
  readonly help: string;
  readonly labels: L;
  /** The family for these texts, in the order of the pattern's placeholders. The same texts give the same object. */
  of(...texts: readonly string[]): Family<L>;
}

function fill(pattern: string, texts: readonly string[]): string {
  let next = 0;
  return pattern.replace(/<[a-z_]+>/g, () => texts[next++] ?? '');
}

function dynamicFamily<const L extends readonly string[]>(
  type: MetricType,
  pattern: string,
  help: string,
  labels: L,
): DynamicFamily<L> {
  const known = new Map<string, Family<L>>();
  return {
    pattern,
    type,
    help,
    labels,
    of(...texts) {
      const key = texts.length === 1 ? (texts[0] as string) : texts.join('\0');
      let found = known.get(key);
      if (found === undefined) {
        if (known.size >= FAMILIES_MAX) throw new LimitError(`${pattern}: more than ${FAMILIES_MAX} families`);
        found = family(type, fill(pattern, texts), fill(help, texts), labels);
        known.set(key, found);
      }
      return found;
    },
  };
}

type DeclareDynamic = <const L extends readonly string[]>(
  pattern: string,
  help: string,
  ...labels: L
) => DynamicFamily<L>;

/** As `counter`, `gauge` and `untyped`, for a pattern. */
export const dynamic: Readonly<Record<'counter' | 'gauge' | 'untyped', DeclareDynamic>> = {
  counter: (pattern, help, ...labels) => dynamicFamily('counter', pattern, help, labels),
  gauge: (pattern, help, ...labels) => dynamicFamily('gauge', pattern, help, labels),
  untyped: (pattern, help, ...labels) => dynamicFamily('untyped', pattern, help, labels),
};

/** A family that is known only when it is seen, as those in text files; type and labels come with it. */
export interface OpenFamily {
  readonly pattern: string;
  readonly type: 'any';
  readonly help: string;
  readonly labels: readonly string[];
  of(type: MetricType, name: string, help: string, labels: readonly string[]): Family;
}

/** `what` is the text that the docs show in the name's place. */
export const open = (what: string, help: string): OpenFamily => ({
  pattern: what,
  type: 'any',
  help,
  labels: [],
  of: (type, name, text, labels) => family(type, name, text, labels),
});
