import { messageOf, UsageError } from '../core/errors.ts';
import { autoInt } from '../core/text.ts';

/** One mapping of a YAML file, whose every key has to be asked for before `end`. Throws a `UsageError` for a wrong value. */
export interface Section {
  has(key: string): boolean;
  text(key: string): string;
  boolean(key: string, fallback: boolean): boolean;
  integer(key: string): number;
  texts(key: string): readonly string[];
  entries(key: string): readonly (readonly [string, string])[];
  section(key: string): Section;
  /** Throws for a key that nobody knows. */
  end(): void;
}

const QUOTED_MAX = 80;

/** What stands in the file, for a message about it. */
const quoted = (value: unknown): string => {
  const text = JSON.stringify(value) ?? String(value);
  return text.length > QUOTED_MAX ? `${text.slice(0, QUOTED_MAX)}…` : text;
};

/** A scalar that stands in quotes or is tagged as a text: nothing but a text. */
class Quoted {
  readonly text: string;
  constructor(text: string) {
    this.text = text;
  }
  toJSON(): string {
    return this.text;
  }
}

const isMapping = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Quoted);
const isPlain = (value: unknown): value is string => typeof value === 'string';
const textOf = (value: unknown): string | undefined =>
  value instanceof Quoted ? value.text : isPlain(value) ? value : undefined;

/** YAML's words for nothing. */
const isNothing = (value: unknown): boolean =>
  value === undefined || value === null || (isPlain(value) && /^(?:~|null|Null|NULL|)$/.test(value));

// Those of YAML 1.1: what the reference's library takes, and what operators have in their files.
const TRUE = /^(?:y|Y|yes|Yes|YES|true|True|TRUE|on|On|ON)$/;
const FALSE = /^(?:n|N|no|No|NO|false|False|FALSE|off|Off|OFF)$/;

const FLOAT = /^[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?$/;
const INTEGER_MAX = 2 ** 63;

/** As the reference's library reads it: `0x10`, `010` for eight, `1_000`, and of `1.5` what is before the point. */
function integerOf(text: string): number | undefined {
  const plain = text.replaceAll('_', '');
  const value = autoInt(plain) ?? (FLOAT.test(plain) ? Math.trunc(Number(plain)) : undefined);
  return value === undefined || Math.abs(value) >= INTEGER_MAX ? undefined : value;
}

/**
 * `value` is what the file holds, with every scalar as the text that stands there: what kind it is, a key's reader knows
 * better than YAML does. `name` is for messages.
 */
export function sectionOf(value: unknown, name: string): Section {
  const nothing = isNothing(value);
  if (!nothing && !isMapping(value)) throw new UsageError(`${name} is not a mapping: ${quoted(value)}`);
  const values = nothing ? {} : (value as Record<string, unknown>);
  const asked = new Set<string>();
  const get = (key: string): unknown => {
    asked.add(key);
    return Object.hasOwn(values, key) ? (values[key] ?? undefined) : undefined;
  };
  const wrong = (key: string, kind: string, found: unknown): UsageError =>
    new UsageError(`${name}.${key} is not ${kind}: ${quoted(found)}`);
  return {
    has: (key) => get(key) !== undefined,
    text(key) {
      const found = get(key) ?? '';
      const text = textOf(found);
      if (text === undefined) throw wrong(key, 'a text', found);
      return text;
    },
    boolean(key, fallback) {
      const found = get(key);
      if (isNothing(found)) return fallback;
      if (!isPlain(found) || !(TRUE.test(found) || FALSE.test(found))) throw wrong(key, 'true or false', found);
      return TRUE.test(found);
    },
    integer(key) {
      const found = get(key);
      if (isNothing(found)) return 0;
      const value = isPlain(found) ? integerOf(found) : undefined;
      if (value === undefined) throw wrong(key, 'an integer', found);
      return value;
    },
    texts(key) {
      const found = get(key);
      if (isNothing(found)) return [];
      const texts = Array.isArray(found) ? found.map(textOf) : [undefined];
      if (!texts.every((text) => text !== undefined)) throw wrong(key, 'a list of texts', found);
      return texts;
    },
    entries(key) {
      const found = get(key);
      if (isNothing(found)) return [];
      if (!isMapping(found)) throw wrong(key, 'a mapping', found);
      return Object.entries(found).map(([each, value]) => {
        const text = textOf(value);
        if (text === undefined) throw wrong(`${key}.${each}`, 'a text', value);
        return [each, text] as const;
      });
    },
    section: (key) => sectionOf(get(key), key),
    end() {
      for (const key of Object.keys(values))
        if (!asked.has(key)) throw new UsageError(`unknown key ${quoted(key)} in ${name}`);
    },
  };
}

const NESTING_MAX = 16;
const ALIASES_MAX = 100;
const TEXT_TAG = 'tag:yaml.org,2002:str';
/** https://yaml.org/spec/1.1/#c-printable */
const ODD_CHARACTER = /[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\u{10000}-\u{10ffff}]/u;
/** Comes before a token that is a scalar's text. */
const SCALAR = '\x1f';

/** Refuses what is nested deeper than any configuration, since the library takes long to give up on it. */
function refuseNesting(tokens: Iterable<string>): void {
  let open = 0;
  let inLine = 0;
  let before = '';
  for (const token of tokens) {
    if (before === SCALAR) {
      before = token;
      continue;
    }
    if (token === '[' || token === '{') open += 1;
    else if (token === ']' || token === '}') open -= 1;
    else if (token === '-' || token === '?') inLine += 1;
    else if (token.includes('\n')) inLine = 0;
    if (open + inLine > NESTING_MAX) throw new UsageError(`nested more than ${NESTING_MAX} deep`);
    before = token;
  }
}

/** Reads a YAML text: mappings, lists, and texts. Takes about as long as the text is, whatever is in it. */
export async function createYamlReader(): Promise<(text: string) => unknown> {
  const { Lexer, parseDocument, visit } = await import('yaml');
  const read = (text: string): unknown => {
    if (ODD_CHARACTER.test(text)) throw new UsageError('control characters are not allowed');
    refuseNesting(new Lexer().lex(text));
    // Unique keys are looked after here: the library compares each key with every other.
    const document = parseDocument(text, { schema: 'failsafe', stringKeys: true, uniqueKeys: false, merge: true });
    const [error] = document.errors;
    if (error !== undefined) throw error;
    let aliases = 0;
    visit(document, {
      Alias() {
        aliases += 1;
        if (aliases > ALIASES_MAX) throw new UsageError(`more than ${ALIASES_MAX} aliases`);
      },
      Scalar(place, scalar) {
        const isText = scalar.tag === TEXT_TAG || (scalar.type !== undefined && scalar.type !== 'PLAIN');
        if (place !== 'key' && isText) scalar.value = new Quoted(String(scalar.value));
      },
      Map(_, { items }) {
        const seen = new Set<string>();
        for (const { key } of items) {
          const name = String(key);
          if (seen.has(name)) throw new UsageError(`the key ${quoted(name)} is there twice`);
          seen.add(name);
        }
      },
    });
    return document.toJS({ maxAliasCount: 10 });
  };
  return (text) => {
    try {
      return read(text);
    } catch (error) {
      throw error instanceof UsageError ? error : new UsageError(firstLine(error), { cause: error });
    }
  };
}

const firstLine = (error: unknown): string => messageOf(error).split('\n')[0] ?? '';
