import { commandLineTokens } from './command_line.ts';
import { UsageError } from './errors.ts';
import { compilePattern, ownPattern, type Pattern } from './pattern.ts';
import { nearest } from './similar.ts';

/** A command-line flag. `T` is what the program receives; the text of `fallback` is what `--help` prints. */
export interface Flag<T = unknown> {
  readonly name: string;
  readonly help: string;
  readonly fallback: readonly string[];
  readonly kind: 'bool' | 'value' | 'list';
  /** An environment variable that supplies the value where the flag is absent. */
  readonly env?: string;
  /** One letter, for `-h`. */
  readonly short?: string;
  readonly hidden?: boolean;
  /** Whether a value that is given is compiled as a pattern: `loadPatterns` has to be awaited before. */
  readonly isPattern?: boolean;
  /** The flag to use instead; giving this one logs a warning. Deprecated flags are hidden. */
  readonly deprecated?: string;
  /** What a value may be, for `--help` and completions. */
  readonly choices?: readonly string[];
  /** Turns the texts given (or the fallback) into the value, or throws a `UsageError`. */
  parse(texts: readonly string[]): T;
}

type Extra = Partial<Pick<Flag, 'env' | 'short' | 'hidden' | 'deprecated'>>;

const one = (texts: readonly string[]): string => texts[0] ?? '';

const UNIT_MS: Readonly<Record<string, number>> = {
  ns: 1e-6,
  us: 1e-3,
  µs: 1e-3,
  μs: 1e-3,
  ms: 1,
  s: 1e3,
  m: 6e4,
  h: 3.6e6,
};

/** Parses a duration as Go writes it (`1h15m30.918s`, `-1.5ms`, `0`), in milliseconds. */
export function parseDuration(text: string): number {
  const [, sign, rest = ''] = /^([+-]?)(.*)$/s.exec(text) ?? [];
  if (rest === '0') return 0;
  if (!/^((\d+\.?\d*|\.\d+)(ns|us|\u00b5s|\u03bcs|ms|s|m|h))+$/.test(rest))
    throw new UsageError(`time: invalid duration ${JSON.stringify(text)}`);
  let totalMs = 0;
  for (const [, number, unit] of rest.matchAll(/(\d+\.?\d*|\.\d+)(ns|us|\u00b5s|\u03bcs|ms|s|m|h)/g))
    totalMs += Number(number) * (UNIT_MS[unit as string] as number);
  return sign === '-' ? -totalMs : totalMs;
}

const DIGITS = String.raw`\d(?:_?\d)*`;
const INTEGER = new RegExp(`^[+-]?(?:${DIGITS}\\.?(?:${DIGITS})?|\\.${DIGITS})(?:e[+-]?${DIGITS})?$`, 'i');

/** As the reference's command line, which takes `40`, `4e1`, `4_0` and `40.5` for the same. */
function parseInteger(text: string): number {
  const value = Math.trunc(Number(text.replaceAll('_', '')));
  if (!INTEGER.test(text) || !Number.isSafeInteger(value))
    throw new UsageError(`${JSON.stringify(text)} is not an integer`);
  return value;
}

function parseChoice<T extends string>(text: string, choices: readonly T[]): T {
  const found = choices.find((choice) => choice === text);
  if (found === undefined) throw new UsageError(`enum value must be one of ${choices.join(',')}, got '${text}'`);
  return found;
}

export const flag = {
  bool: (name: string, help: string, fallback = false, extra: Extra = {}): Flag<boolean> => ({
    ...extra,
    name,
    help,
    kind: 'bool',
    fallback: [String(fallback)],
    parse: (texts) => one(texts) === 'true',
  }),
  /** Text out of which a pattern is made: what is given is compiled by RE2. */
  patternText: (name: string, help: string, fallback = '', extra: Extra = {}): Flag<string> => ({
    ...extra,
    name,
    help,
    kind: 'value',
    isPattern: true,
    fallback: [fallback],
    parse: one,
  }),
  text: (name: string, help: string, fallback = '', extra: Extra = {}): Flag<string> => ({
    ...extra,
    name,
    help,
    kind: 'value',
    fallback: [fallback],
    parse: one,
  }),
  /** Repeatable; giving it replaces the fallback. */
  texts: (
    name: string,
    help: string,
    fallback: readonly string[] = [],
    extra: Extra = {},
  ): Flag<readonly string[]> => ({ ...extra, name, help, kind: 'list', fallback, parse: (texts) => texts }),
  int: (name: string, help: string, fallback: number, extra: Extra = {}): Flag<number> => ({
    ...extra,
    name,
    help,
    kind: 'value',
    fallback: [String(fallback)],
    parse: (texts) => parseInteger(one(texts)),
  }),
  /** In milliseconds. */
  duration: (name: string, help: string, fallback: string, extra: Extra = {}): Flag<number> => ({
    ...extra,
    name,
    help,
    kind: 'value',
    fallback: [fallback],
    parse: (texts) => parseDuration(one(texts)),
  }),
  choice: <const T extends string>(
    name: string,
    help: string,
    choices: readonly T[],
    fallback: NoInfer<T>,
    extra: Extra = {},
  ): Flag<T> => ({
    ...extra,
    name,
    help,
    kind: 'value',
    choices,
    fallback: [fallback],
    parse: (texts) => parseChoice(one(texts), choices),
  }),
  /** An RE2 pattern; the empty text means that there is none. */
  regexp: (name: string, help: string, fallback = '', extra: Extra = {}): Flag<Pattern | undefined> => ({
    ...extra,
    name,
    help,
    kind: 'value',
    isPattern: true,
    fallback: [fallback],
    parse: (texts) => {
      const source = one(texts);
      if (source === '') return undefined;
      return source === fallback ? ownPattern(source) : compilePattern(source);
    },
  }),
} as const;

export type Flags = Readonly<Record<string, Flag>>;
export type FlagValues<F extends Flags> = { readonly [K in keyof F]: F[K] extends Flag<infer T> ? T : never };

/** What a command line says: every flag's value, and which of them were given (on the line or by the environment). */
export interface ParsedFlags {
  valueOf<T>(flag: Flag<T>): T;
  isGiven(flag: Flag): boolean;
}

interface Given {
  readonly flag: Flag;
  readonly text: string;
}

/** What of `flags` comes first on the command line, before anything that is wrong with it. */
export function firstGiven(argv: readonly string[], flags: readonly Flag[], wanted: readonly Flag[]): Flag | undefined {
  try {
    for (const { flag: found } of givenFlags(argv, flags)) if (wanted.includes(found)) return found;
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
  }
  return undefined;
}

/** What each flag was given, in order. */
function collectGiven(argv: readonly string[], flags: readonly Flag[]): Map<Flag, string[]> {
  const given = new Map<Flag, string[]>();
  for (const { flag: found, text } of givenFlags(argv, flags)) {
    const texts = given.get(found);
    if (texts === undefined) given.set(found, [text]);
    else if (found.kind === 'list') texts.push(text);
    else throw new UsageError(`flag '${found.name}' cannot be repeated`);
  }
  return given;
}

/**
 * Parses argv with kingpin's rules: order kept, scalars not repeatable, `--no-x` for booleans only, no positionals.
 * `defaults` are flags too: they take the place of the fallbacks, and do not count as given.
 */
export function parseFlags(
  argv: readonly string[],
  flags: readonly Flag[],
  env: Readonly<Record<string, string | undefined>> = {},
  defaults: readonly string[] = [],
): ParsedFlags {
  const fallbacks = collectGiven(defaults, flags);
  const given = collectGiven(argv, flags);
  const values = new Map<Flag, unknown>();
  for (const each of flags) {
    const fromEnv = each.env === undefined ? undefined : env[each.env];
    if (!given.has(each) && fromEnv !== undefined && fromEnv !== '')
      given.set(each, each.kind === 'list' ? fromEnv.split('\n') : [fromEnv]);
    values.set(each, parseOne(each, given.get(each) ?? fallbacks.get(each) ?? each.fallback));
  }
  return {
    valueOf: <T>(asked: Flag<T>) => values.get(asked) as T,
    isGiven: (asked) => given.has(asked),
  };
}

function parseOne(asked: Flag, texts: readonly string[]): unknown {
  try {
    return asked.parse(texts);
  } catch (error) {
    if (error instanceof UsageError) throw new UsageError(`--${asked.name}: ${error.message}`, { cause: error });
    throw error;
  }
}

const SEE_HELP = { hint: 'try --help' } as const;

function unknownFlag(kind: 'long' | 'short', shown: string, flags: readonly Flag[]): UsageError {
  const names = flags
    .filter(({ deprecated }) => deprecated === undefined)
    .flatMap((each) => (each.kind === 'bool' ? [each.name, `no-${each.name}`] : [each.name]));
  const meant = kind === 'long' ? nearest(shown.slice(2), names) : undefined;
  const options = meant === undefined ? SEE_HELP : { hint: `did you mean '--${meant}'?` };
  return new UsageError(`unknown ${kind} flag '${shown}'`, options);
}

function* givenFlags(argv: readonly string[], flags: readonly Flag[]): Generator<Given> {
  const long = new Map(flags.map((each) => [each.name, each]));
  const short = new Map(flags.flatMap((each) => (each.short === undefined ? [] : [[each.short, each]])));
  const tokens = commandLineTokens(argv);
  let token = tokens.next().value;
  while (token !== undefined) {
    const { kind, text } = token;
    if (kind === 'argument') throw new UsageError(`unexpected ${text}`, SEE_HELP);
    const negated = kind === 'long' && !long.has(text) && text.startsWith('no-');
    const found = kind === 'short' ? short.get(text) : long.get(negated ? text.slice(3) : text);
    const shown = kind === 'short' ? `-${text}` : `--${text}`;
    if (found === undefined || (negated && found.kind !== 'bool')) throw unknownFlag(kind, shown, flags);
    token = tokens.next().value;
    if (found.kind === 'bool') {
      yield { flag: found, text: String(!negated) };
      continue;
    }
    if (token?.kind !== 'argument') throw new UsageError(`expected argument for flag '${shown}'`, SEE_HELP);
    yield { flag: found, text: token.text };
    token = tokens.next().value;
  }
}
