import { messageOf, UsageError } from './errors.ts';

/** A regular expression with RE2's syntax and linear time, as the reference's flags take them. Unanchored. */
export interface Pattern {
  readonly source: string;
  test(text: string): boolean;
}

let re2: typeof import('re2js') | undefined;

/** Loads the engine for patterns of operators: most start without any, and it takes a megabyte. */
export async function loadPatterns(): Promise<void> {
  re2 ??= await import('re2js');
}

const REMEMBERED_MAX = 4096;

/** What was answered is remembered, since the same few names come at every scrape. */
function remembering(source: string, find: (text: string) => boolean): Pattern {
  const remembered = new Map<string, boolean>();
  return {
    source,
    test(text) {
      const known = remembered.get(text);
      if (known !== undefined) return known;
      if (remembered.size >= REMEMBERED_MAX) remembered.clear();
      const answer = find(text);
      remembered.set(text, answer);
      return answer;
    },
  };
}

/** A pattern that is ours: it means the same to the engine of the language, and takes no more time there. */
export function ownPattern(source: string): Pattern {
  const expression = new RegExp(source);
  return remembering(source, (text) => expression.test(text));
}

/** Compiles the pattern of an operator. Throws a `UsageError` that quotes it. `loadPatterns` must have been awaited. */
export function compilePattern(source: string): Pattern {
  if (re2 === undefined) throw new Error('patterns are not loaded');
  try {
    const compiled = re2.RE2JS.compile(source);
    return remembering(source, (text) => compiled.matcher(text).find());
  } catch (error) {
    throw new UsageError(`${messageOf(error)} in \`${source}\``, { cause: error });
  }
}

/** Whether a name passes: not matched by `exclude`, and matched by `include`; either may be missing. */
export const passes = (name: string, include: Pattern | undefined, exclude: Pattern | undefined): boolean =>
  !(exclude?.test(name) ?? false) && (include?.test(name) ?? true);
