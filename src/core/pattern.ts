import { RE2JS } from 're2js';
import { messageOf, UsageError } from './errors.ts';

/** A regular expression with RE2's syntax and linear time, as the reference's flags take them. Unanchored. */
export interface Pattern {
  readonly source: string;
  test(text: string): boolean;
}

const REMEMBERED_MAX = 4096;

/** Compiles a pattern; what it answered is remembered, since the same few names come at every scrape. */
export function compilePattern(source: string): Pattern {
  let compiled: RE2JS;
  try {
    compiled = RE2JS.compile(source);
  } catch (error) {
    throw new UsageError(`${messageOf(error)} in \`${source}\``, { cause: error });
  }
  const remembered = new Map<string, boolean>();
  return {
    source,
    test(text) {
      const known = remembered.get(text);
      if (known !== undefined) return known;
      if (remembered.size >= REMEMBERED_MAX) remembered.clear();
      const answer = compiled.matcher(text).find();
      remembered.set(text, answer);
      return answer;
    },
  };
}

/** Whether a name passes: not matched by `exclude`, and matched by `include`; either may be missing. */
export const passes = (name: string, include: Pattern | undefined, exclude: Pattern | undefined): boolean =>
  !(exclude?.test(name) ?? false) && (include?.test(name) ?? true);
