import { ParseError } from '../core/errors.ts';
import type { MetricType } from '../core/metric.ts';
import { float } from '../core/text.ts';

export type TextLabels = ReadonlyMap<string, string>;

/** One sample of a counter, a gauge or an untyped family. */
export interface TextSample {
  readonly labels: TextLabels;
  readonly value: number;
}

/** One series of a summary or a histogram: values by quantile, or cumulative counts by upper bound, in no order. */
export interface TextCompound {
  readonly labels: TextLabels;
  readonly points: ReadonlyMap<number, number>;
  readonly sum: number;
  readonly count: number;
}

export interface TextFamily {
  readonly name: string;
  readonly type: MetricType;
  /** `undefined` where the text has no HELP line for it. */
  readonly help: string | undefined;
  readonly samples: readonly TextSample[];
  readonly compounds: readonly TextCompound[];
}

/** A family while it is read; `type` is settled by its TYPE line or by its first sample, whichever comes first. */
interface Draft {
  readonly name: string;
  type: MetricType | undefined;
  help: string | undefined;
  readonly samples: TextSample[];
  readonly compounds: Map<string, { labels: TextLabels; points: Map<number, number>; sum: number; count: number }>;
}

type Drafts = Map<string, Draft>;

/** What a sample's name says of it within a summary or a histogram. */
type Part = 'point' | 'sum' | 'count';

/** A complaint about a line, turned into a `ParseError` where the line is known. */
class LineError extends Error {}

const fail = (why: string): never => {
  throw new LineError(why);
};

const BLANKS = /[ \t]*/y;
const NAME = /[a-zA-Z_:][a-zA-Z0-9_:]*/y;
const LABEL = /([a-zA-Z_][a-zA-Z0-9_]*)[ \t]*=[ \t]*"([^"\\]*(?:\\.[^"\\]*)*)"[ \t]*/y;
const COMMENT = /^#[ \t]*(HELP|TYPE)[ \t]+(.+)$/s;
const TYPES: ReadonlyMap<string, MetricType> = new Map(
  (['counter', 'gauge', 'untyped', 'summary', 'histogram'] as const).map((type) => [type, type]),
);

function match(pattern: RegExp, line: string, from: number): RegExpExecArray | null {
  pattern.lastIndex = from;
  return pattern.exec(line);
}

const skipBlanks = (line: string, from: number): number => from + (match(BLANKS, line, from)?.[0].length ?? 0);

const unescapeText = (text: string, known: Readonly<Record<string, string>>): string =>
  text.includes('\\')
    ? text.replace(/\\(.?)/gs, (_, char: string) => known[char] ?? fail(`invalid escape sequence \\${char}`))
    : text;

const ESCAPES = { '\\': '\\', n: '\n', '"': '"' };

function numberOf(text: string, what: string): number {
  const value = float(text);
  const overflows = value !== undefined && Math.abs(value) === Number.POSITIVE_INFINITY && !/inf/i.test(text);
  return value === undefined || overflows ? fail(`expected a number as ${what}`) : value;
}

/** The family that a name belongs to: its own, the summary or histogram that it is a part of, or a new one. */
function resolve(drafts: Drafts, name: string): { draft: Draft; part: Part } {
  const own = drafts.get(name);
  if (own !== undefined) return { draft: own, part: 'point' };
  for (const [suffix, part] of [
    ['_sum', 'sum'],
    ['_count', 'count'],
    ['_bucket', 'point'],
  ] as const) {
    const whole = name.endsWith(suffix) ? drafts.get(name.slice(0, -suffix.length)) : undefined;
    if (whole?.type === 'histogram' || (whole?.type === 'summary' && suffix !== '_bucket'))
      return { draft: whole, part };
  }
  const draft: Draft = { name, type: undefined, help: undefined, samples: [], compounds: new Map() };
  drafts.set(name, draft);
  return { draft, part: 'point' };
}

function readComment(line: string, drafts: Drafts): void {
  const [, keyword, rest] = COMMENT.exec(line) ?? [];
  if (rest === undefined) return;
  const name = match(NAME, rest, 0)?.[0] ?? fail('invalid metric name in comment');
  if (name.length === rest.length) return;
  const start = skipBlanks(rest, name.length);
  if (start === name.length) fail('invalid metric name in comment');
  const { draft } = resolve(drafts, name);
  const text = rest.slice(start);
  if (text === '') return;
  if (keyword === 'HELP') {
    if (draft.help !== undefined) fail(`second HELP line for ${name}`);
    draft.help = unescapeText(text, ESCAPES);
  } else {
    if (draft.type !== undefined) fail(`second TYPE line for ${name}, or one after its samples`);
    draft.type = TYPES.get(text.toLowerCase()) ?? fail(`unknown metric type ${JSON.stringify(text)}`);
  }
}

/** Reads `{…}` from its brace on. Answers the labels and where they end. */
function readLabels(line: string, brace: number): { labels: Map<string, string>; end: number } {
  const labels = new Map<string, string>();
  let at = skipBlanks(line, brace + 1);
  while (line[at] !== '}') {
    const found = match(LABEL, line, at) ?? fail('expected a label');
    const [whole, name, value] = found as unknown as [string, string, string];
    if (name === '__name__') fail('label name __name__ is reserved');
    if (labels.has(name)) fail(`label ${name} twice`);
    labels.set(name, unescapeText(value, ESCAPES));
    at += whole.length;
    if (line[at] === ',') at = skipBlanks(line, at + 1);
    else if (line[at] !== '}') fail('expected a comma or a brace after a label');
  }
  return { labels, end: at + 1 };
}

function readSample(line: string, drafts: Drafts): void {
  const name = match(NAME, line, 0)?.[0] ?? fail('invalid metric name');
  const { draft, part } = resolve(drafts, name);
  draft.type ??= 'untyped';
  let at = skipBlanks(line, name.length);
  let labels = new Map<string, string>();
  if (line[at] === '{') {
    ({ labels, end: at } = readLabels(line, at));
    at = skipBlanks(line, at);
  }
  const text = line.slice(at);
  if (/^[^ \t]+[ \t]+[+-]?[0-9]+$/.test(text)) fail('timestamps are not supported');
  const compound = draft.type === 'summary' ? 'quantile' : draft.type === 'histogram' ? 'le' : undefined;
  if (compound === undefined) {
    draft.samples.push({ labels, value: numberOf(text, 'value') });
    return;
  }
  const boundText = labels.get(compound);
  const bound = boundText === undefined ? Number.NaN : numberOf(boundText, compound);
  labels.delete(compound);
  const value = numberOf(text, 'value');
  const key = JSON.stringify([...labels].sort(([a], [b]) => (a < b ? -1 : 1)));
  let series = draft.compounds.get(key);
  if (series === undefined) {
    series = { labels, points: new Map(), sum: 0, count: 0 };
    draft.compounds.set(key, series);
  }
  if (part !== 'point') series[part] = value;
  else if (!Number.isNaN(bound)) series.points.set(bound, value);
}

function readLine(line: string, drafts: Drafts): void {
  const start = skipBlanks(line, 0);
  if (start === line.length) return;
  const rest = start === 0 ? line : line.slice(start);
  if (rest.startsWith('#')) readComment(rest, drafts);
  else readSample(rest, drafts);
}

const LINES_PER_STEP = 2000;

/**
 * Parses the Prometheus text format 0.0.4 as strictly as the reference does: names of the legacy charset only, HELP and
 * TYPE at most once and TYPE before the samples, no timestamp, nothing behind a value, a newline at the end. Families
 * without samples are left out. https://prometheus.io/docs/instrumenting/exposition_formats/
 *
 * It stops after every few thousand lines, so that a long text need not hold the event loop; the last step gives the families.
 */
export function* parseExpositionInSteps(text: string): Generator<void, TextFamily[], void> {
  const drafts: Drafts = new Map();
  const all = text.split('\n');
  const unended = all.pop() as string;
  for (const [index, line] of all.entries()) {
    if (index % LINES_PER_STEP === LINES_PER_STEP - 1) yield;
    try {
      readLine(line, drafts);
    } catch (error) {
      if (error instanceof LineError) throw new ParseError(`line ${index + 1}: ${error.message}`, line);
      throw error;
    }
  }
  if (skipBlanks(unended, 0) < unended.length) throw new ParseError('the last line has no newline', unended);
  return [...drafts.values()].flatMap(({ name, type, help, samples, compounds }) =>
    type === undefined || samples.length + compounds.size === 0
      ? []
      : [{ name, type, help, samples, compounds: [...compounds.values()] }],
  );
}

/** The same at once. */
export function parseExposition(text: string): TextFamily[] {
  const steps = parseExpositionInSteps(text);
  for (;;) {
    const step = steps.next();
    if (step.done === true) return step.value;
  }
}
