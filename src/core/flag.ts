import { UsageError } from './errors.ts';
import { compilePattern, type Pattern } from './pattern.ts';

/** A command-line flag. `T` is what the program receives; the text of `fallback` is what `--help` prints. */
export interface Flag<T = unknown> {
  readonly name: string;
  readonly help: string;
  readonly fallback: readonly string[];
  readonly kind: 'bool' | 'value' | 'list';
  /** An environment variable that supplies the value where the flag is absent. */
  readonly env?: string;
  readonly hidden?: boolean;
  /** The flag to use instead; giving this one logs a warning. Deprecated flags are hidden. */
  readonly deprecated?: string;
  /** What a value may be, for `--help` and completions. */
  readonly choices?: readonly string[];
  /** Turns the texts given (or the fallback) into the value, or throws a `UsageError`. */
  parse(texts: readonly string[]): T;
}

type Extra = Partial<Pick<Flag, 'env' | 'hidden' | 'deprecated'>>;

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
  if (!/^((\d+\.?\d*|\.\d+)(ns|us|µs|μs|ms|s|m|h))+$/.test(rest))
    throw new UsageError(`time: invalid duration ${JSON.stringify(text)}`);
  let totalMs = 0;
  for (const [, number, unit] of rest.matchAll(/(\d+\.?\d*|\.\d+)(ns|us|µs|μs|ms|s|m|h)/g))
    totalMs += Number(number) * (UNIT_MS[unit as string] as number);
  return sign === '-' ? -totalMs : totalMs;
}

function parseInteger(text: string): number {
  if (!/^[+-]?\d+$/.test(text) || !Number.isSafeInteger(Number(text)))
    throw new UsageError(`strconv.ParseInt: parsing ${JSON.stringify(text)}: invalid syntax`);
  return Number(text);
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
    fallback: [fallback],
    parse: (texts) => (one(texts) === '' ? undefined : compilePattern(one(texts))),
  }),
} as const;

export type Flags = Readonly<Record<string, Flag>>;
export type FlagValues<F extends Flags> = { readonly [K in keyof F]: F[K] extends Flag<infer T> ? T : never };

/** What a command line says: every flag's value, and which of them were given (on the line or by the environment). */
export interface ParsedFlags {
  valueOf<T>(flag: Flag<T>): T;
  isGiven(flag: Flag): boolean;
}

interface Token {
  readonly flag: Flag;
  readonly text: string;
}

/** Parses argv with kingpin's rules: order kept, scalars not repeatable, `--no-x` for booleans only, no positionals. */
export function parseFlags(
  argv: readonly string[],
  flags: readonly Flag[],
  env: Readonly<Record<string, string | undefined>> = {},
): ParsedFlags {
  const given = new Map<Flag, string[]>();
  for (const { flag: found, text } of tokens(argv, flags)) {
    const texts = given.get(found);
    if (texts === undefined) given.set(found, [text]);
    else if (found.kind === 'list') texts.push(text);
    else throw new UsageError(`flag '${found.name}' cannot be repeated`);
  }
  const values = new Map<Flag, unknown>();
  for (const each of flags) {
    const fromEnv = each.env === undefined ? undefined : env[each.env];
    if (!given.has(each) && fromEnv !== undefined && fromEnv !== '') given.set(each, fromEnv.split('\n'));
    values.set(each, parseOne(each, given.get(each) ?? each.fallback));
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

function* tokens(argv: readonly string[], flags: readonly Flag[]): Generator<Token> {
  const known = new Map(flags.map((each) => [each.name, each]));
  for (let i = 0; i < argv.length; i += 1) {
    const token = argv[i] as string;
    if (token === '--') {
      const next = argv[i + 1];
      if (next === undefined) return;
      throw new UsageError(`unexpected ${next}`);
    }
    if (!token.startsWith('--')) {
      if (token.startsWith('-') && token.length > 1) throw new UsageError(`unknown short flag '${token.slice(0, 2)}'`);
      throw new UsageError(`unexpected ${token}`);
    }
    const equals = token.indexOf('=');
    const name = equals < 0 ? token.slice(2) : token.slice(2, equals);
    const inline = equals < 0 ? undefined : token.slice(equals + 1);
    const negated = !known.has(name) && name.startsWith('no-');
    const found = known.get(negated ? name.slice(3) : name);
    if (found === undefined || (negated && found.kind !== 'bool'))
      throw new UsageError(`unknown long flag '--${name}'`);
    if (found.kind === 'bool') {
      if (inline !== undefined) throw new UsageError(`unexpected ${inline}`);
      yield { flag: found, text: String(!negated) };
      continue;
    }
    const next = inline ?? argv[i + 1];
    if (next === undefined || (inline === undefined && next.startsWith('-')))
      throw new UsageError(`expected argument for flag '--${name}'`);
    if (inline === undefined) i += 1;
    yield { flag: found, text: next };
  }
}
