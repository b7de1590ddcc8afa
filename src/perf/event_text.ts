import { UsageError } from '../core/errors.ts';
import { genericEvent } from './generic_events.ts';
import { GROUP_EVENTS_MAX } from './planned.ts';

/**
 * Events as perf(1) writes them: `instructions:u`, `r01c0`, `cpu/event=0x3c,umask=0x1,name=foo/k`, `{cycles,instructions}:u`.
 * What this machine has is not asked here. https://man7.org/linux/man-pages/man1/perf-list.1.html
 */
export interface EventText {
  /** For the label `event`: its `name=`, or what is written, without the PMU. */
  readonly label: string;
  /** Missing for names such as `instructions`, which no PMU is written to. */
  readonly pmu?: string;
  /** `instructions`, where no PMU is written. */
  readonly name?: string;
  /** Between the slashes; `r1c0` is a term `config`. A name has none but `config1` and `config2`. */
  readonly terms: readonly TermText[];
  /** Those of `ukhHG` that are written; empty where everything is counted. */
  readonly modifiers: string;
}

export interface TermText {
  readonly name: string;
  /** Missing for a term without `=`: a flag, or the name of an event. */
  readonly value?: bigint;
}

/** Events that are written in braces are opened together or not at all; one without braces stands alone. */
export interface EventGroup {
  readonly isWhole: boolean;
  readonly events: readonly EventText[];
}

const MODIFIERS = 'ukhHG';

const REFUSED_MODIFIERS: Readonly<Record<string, string>> = {
  p: 'precise levels are for samples, and Keyhole counts',
  P: 'precise levels are for samples, and Keyhole counts',
  S: 'reads of a group with each sample are for samples, and Keyhole counts',
  I: 'leaving out the idle task is not offered',
  D: 'a pinned counter takes its place from everybody else',
  e: 'an exclusive group takes the PMU from everybody else',
  W: 'a weak group is what events without braces are',
  b: 'counting with BPF is not offered',
};

/** Terms of perf(1) that say how to sample or how perf itself is to work, and nothing about what is counted. */
const SAMPLING_TERMS: readonly string[] = [
  'period',
  'freq',
  'call-graph',
  'stack-size',
  'max-stack',
  'max-events',
  'branch_type',
  'time',
  'nr',
  'aux-output',
  'aux-sample-size',
  'overwrite',
  'no-overwrite',
  'inherit',
  'no-inherit',
  'driver-config',
  'percore',
  'metric-id',
];

const quote = (part: string): string => JSON.stringify(part);
const refuse = (part: string, why: string): never => {
  throw new UsageError(`cannot use ${quote(part)}: ${why}`);
};

function parseModifiers(letters: string, whole: string): string {
  for (const [i, letter] of [...letters].entries()) {
    const why = REFUSED_MODIFIERS[letter];
    if (why !== undefined) refuse(whole, `the modifier ${letter}: ${why}`);
    if (!MODIFIERS.includes(letter)) refuse(whole, `the modifier ${letter} is unknown; known are u, k, h, H and G`);
    if (letters.indexOf(letter) !== i) refuse(whole, `the modifier ${letter} is there twice`);
  }
  return letters;
}

/** A term's number as perf(1) reads it, in an event's text and in sysfs: decimal even after a zero, or hexadecimal. */
export function termValue(text: string): bigint | undefined {
  if (!/^([0-9]+|0[xX][0-9a-fA-F]+)$/.test(text)) return undefined;
  const value = BigInt(text);
  return value < 1n << 64n ? value : undefined;
}

/** `r1c0`: the number of a raw event, with any zeros in front. */
function rawOf(name: string): bigint | undefined {
  const [, digits] = /^r0*([0-9a-fA-F]{1,16})$/.exec(name) ?? [];
  return digits === undefined ? undefined : BigInt(`0x${digits}`);
}

function parseTerm(text: string, whole: string): TermText {
  const [, name, given] = /^([\w.-]+)(?:=(\w+))?$/.exec(text) ?? [];
  if (name === undefined || /^\.+$/.test(name))
    return refuse(whole, `${quote(text)} is no term; one is written as in event=0x3c`);
  if (SAMPLING_TERMS.includes(name))
    return refuse(whole, `the term ${name} is about samples or about perf itself, and Keyhole counts`);
  const raw = given === undefined ? rawOf(name) : undefined;
  if (raw !== undefined) return { name: 'config', value: raw };
  if (given === undefined) return { name };
  const value = termValue(given);
  if (value === undefined) return refuse(whole, `${quote(given)} is no number for the term ${name}`);
  return { name, value };
}

/** Terms between two slashes, and the name that they give. */
function parseTerms(inside: string, whole: string): { terms: TermText[]; name: string | undefined } {
  const texts = inside.split(',').map((text) => text.trim());
  const names = texts.filter((text) => text.startsWith('name='));
  const [name] = names.map((text) => text.slice('name='.length).replace(/^'(.*)'$/, '$1'));
  if (names.length > 1 || (name !== undefined && !/^[\w.:-]+$/.test(name))) refuse(whole, 'its name= is no name');
  const terms = texts.filter((text) => !text.startsWith('name=')).map((text) => parseTerm(text, whole));
  return { terms, name };
}

/** What a name of no event source is: `instructions`, or a raw number. */
function sourceless(name: string): Pick<EventText, 'name' | 'terms'> {
  const raw = rawOf(name);
  return raw === undefined ? { name, terms: [] } : { terms: [{ name: 'config', value: raw }] };
}

/** `cycles//u`, `r1c0/name=foo/`: slashes after what is no event source, where perf(1) takes but a few terms. */
function parseNamed(event: string, inside: string, own: string, text: string, more: string): EventText {
  const { terms, name } = inside.trim() === '' ? { terms: [], name: undefined } : parseTerms(inside, text);
  const wrong = terms.find((term) => !/^config[12]$/.test(term.name) || term.value === undefined);
  if (wrong !== undefined)
    refuse(text, `the term ${wrong.name} is for event sources; ${event} takes name=, config1= and config2=`);
  const modifiers = joined(parseModifiers(own, text), more);
  const what = sourceless(event);
  const written = terms.length === 0 ? event : `${event}/${inside}`;
  return { label: name ?? labelOf(written, modifiers), ...what, terms: [...what.terms, ...terms], modifiers };
}

function parseEvent(text: string, more: string): EventText {
  const [, pmu, inside, after = ''] = /^([^/]*)\/([^/]*)\/(\w*)$/.exec(text) ?? [];
  if (pmu !== undefined && inside !== undefined) {
    if (genericEvent(pmu) !== undefined || rawOf(pmu) !== undefined) return parseNamed(pmu, inside, after, text, more);
    if (!/^[\w.*?[\]!-]+$/.test(pmu) || /^\.+$/.test(pmu)) refuse(text, 'no event source has such a name');
    const { terms, name } = parseTerms(inside, text);
    if (terms.length === 0) refuse(text, 'it has no terms');
    const own = parseModifiers(after, text);
    const modifiers = joined(own, more);
    return { label: name ?? labelOf(inside, modifiers), pmu, terms, modifiers };
  }
  if (/^mem:/.test(text)) return refuse(text, 'breakpoints are not counted');
  const [, name, letters = ''] = /^([\w.-]+)(?::(\w+))?$/.exec(text) ?? [];
  if (name === undefined || /^\.+$/.test(name))
    return refuse(text, "an event is written as in 'instructions:u', 'r01c0' or 'power/energy-pkg/'");
  // A tracepoint looks like a name with modifiers.
  if (letters.length > MODIFIERS.length || /[^A-Za-z]/.test(letters))
    return refuse(text, 'tracepoints are for --collector.perf.tracepoint');
  const modifiers = parseModifiers(letters, text);
  const all = joined(modifiers, more);
  return { label: labelOf(name, all), ...sourceless(name), modifiers: all };
}

const labelOf = (name: string, modifiers: string): string => (modifiers === '' ? name : `${name}:${modifiers}`);

/** What a group's modifiers add to those of its member. */
const joined = (own: string, more: string): string =>
  own + [...more].filter((letter) => !own.includes(letter)).join('');

/** Splits at commas that are neither between slashes nor between braces. */
function split(text: string): string[] {
  const parts = [''];
  let [isInside, depth] = [false, 0];
  for (const character of text) {
    if (character === '/') isInside = !isInside;
    if (!isInside && character === '{') depth += 1;
    if (!isInside && character === '}') depth -= 1;
    if (character === ',' && !isInside && depth <= 0) parts.push('');
    else parts[parts.length - 1] += character;
  }
  return parts.map((part) => part.trim()).filter((part) => part !== '');
}

function parseGroup(text: string): EventGroup {
  if (!/[{}]/.test(text)) return { isWhole: false, events: [parseEvent(text, '')] };
  const [, inside, letters = ''] = /^\{([^{}]*)\}(?::(\w+))?$/.exec(text) ?? [];
  if (inside === undefined) return refuse(text, "a group is written as in '{cycles,instructions}:u'");
  const more = parseModifiers(letters, text);
  const events = split(inside).map((each) => parseEvent(each, more));
  if (events.length === 0) refuse(text, 'the group is empty');
  if (events.length > GROUP_EVENTS_MAX) refuse(text, `a group has at most ${GROUP_EVENTS_MAX} events`);
  return { isWhole: true, events };
}

const keyOf = (what: EventGroup | EventText): string =>
  JSON.stringify(what, (_, value) => (typeof value === 'bigint' ? String(value) : value));

/** Each group once. */
export const uniqueGroups = (groups: readonly EventGroup[]): EventGroup[] => [
  ...new Map(groups.map((group) => [keyOf(group), group])).values(),
];

/** Events and groups, in comma lists, repeated or not; the same one once. Throws a `UsageError` that quotes the part. */
export function parseEventGroups(texts: readonly string[]): EventGroup[] {
  const groups = texts.flatMap(split).map(parseGroup);
  const byLabel = new Map<string, string>();
  for (const event of groups.flatMap(({ events }) => events)) {
    const place = `${event.pmu ?? ''}/${event.label}`;
    const before = byLabel.get(place) ?? keyOf(event);
    if (before !== keyOf(event)) refuse(event.label, 'two different events have this name');
    byLabel.set(place, before);
  }
  return uniqueGroups(groups);
}

/** What is left out of the count: as perf(1) sets it for these modifiers. */
export interface Excluded {
  readonly excludeUser: boolean;
  readonly excludeKernel: boolean;
  readonly excludeHv: boolean;
  readonly excludeHost: boolean;
  readonly excludeGuest: boolean;
}

export function excludedBy(modifiers: string): Excluded {
  const has = (letter: string): boolean => modifiers.includes(letter);
  const picksLevel = has('u') || has('k') || has('h');
  return {
    excludeUser: picksLevel && !has('u'),
    excludeKernel: picksLevel && !has('k'),
    excludeHv: picksLevel && !has('h'),
    excludeHost: has('G') && !has('H'),
    excludeGuest: has('H') && !has('G'),
  };
}
