import { RE2JS } from 're2js';
import { messageOf, UsageError } from './errors.ts';

/** A regular expression with RE2's syntax and linear time, as the reference's flags take them. Unanchored. */
export interface Pattern {
  readonly source: string;
  test(text: string): boolean;
}

const REMEMBERED_MAX = 4096;

function compile(source: string): RE2JS {
  try {
    return RE2JS.compile(source);
  } catch (error) {
    throw new UsageError(`${messageOf(error)} in \`${source}\``, { cause: error });
  }
}

/** Compiles a pattern that is ours and so is right, but not before it is needed: compiling takes its time at every start. */
export function latePattern(source: string): Pattern {
  let compiled: RE2JS | undefined;
  const remembered = new Map<string, boolean>();
  return {
    source,
    test(text) {
      const known = remembered.get(text);
      if (known !== undefined) return known;
      if (remembered.size >= REMEMBERED_MAX) remembered.clear();
      compiled ??= compile(source);
      const answer = compiled.matcher(text).find();
      remembered.set(text, answer);
      return answer;
    },
  };
}

/** Compiles a pattern; what it answered is remembered, since the same few names come at every scrape. */
export function compilePattern(source: string): Pattern {
  const pattern = latePattern(source);
  pattern.test('');
  return pattern;
}

/** Whether a name passes: not matched by `exclude`, and matched by `include`; either may be missing. */
export const passes = (name: string, include: Pattern | undefined, exclude: Pattern | undefined): boolean =>
  !(exclude?.test(name) ?? false) && (include?.test(name) ?? true);
