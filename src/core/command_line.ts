import { readFileSync } from 'node:fs';
import { messageOf, UsageError } from './errors.ts';

export interface CommandLineToken {
  readonly kind: 'long' | 'short' | 'argument';
  /** Without dashes. */
  readonly text: string;
}

const ARGUMENT_FILES_MAX = 100;

/** The arguments in a file: one a line; blank lines and those that begin with `#` are left out. */
function argumentsOf(path: string): string[] {
  if (path === '') throw new UsageError('expected @ file to expand arguments from');
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    throw new UsageError(`failed to open arguments file ${JSON.stringify(path)}: ${messageOf(error)}`);
  }
  return text.split(/\r?\n/).filter((line) => line.trim() !== '' && !line.startsWith('#'));
}

/**
 * Puts the arguments of each `@file` in its place, those of files that are named in it too. Done once, before anything is parsed
 * or executed again: what is behind `@/dev/fd/63` can be read once.
 */
export function withArgumentFiles(argv: readonly string[]): string[] {
  const queue = [...argv];
  const all: string[] = [];
  let files = 0;
  for (let arg = queue.shift(); arg !== undefined; arg = queue.shift()) {
    if (arg === '--') return [...all, arg, ...queue];
    if (!arg.startsWith('@')) {
      all.push(arg);
      continue;
    }
    files += 1;
    if (files > ARGUMENT_FILES_MAX) throw new UsageError(`more than ${ARGUMENT_FILES_MAX} argument files`);
    queue.unshift(...argumentsOf(arg.slice(1)));
  }
  return all;
}

/** Splits a command line as kingpin does: `--name`, `--name=value`, `-x` and `-xy`, and after `--` arguments only. */
export function* commandLineTokens(argv: readonly string[]): Generator<CommandLineToken, undefined> {
  const queue = [...argv];
  let onlyArguments = false;
  for (let arg = queue.shift(); arg !== undefined; arg = queue.shift()) {
    if (onlyArguments) yield { kind: 'argument', text: arg };
    else if (arg === '--') onlyArguments = true;
    else if (arg.startsWith('--')) {
      const equals = arg.indexOf('=');
      yield { kind: 'long', text: equals < 0 ? arg.slice(2) : arg.slice(2, equals) };
      if (equals >= 0) yield { kind: 'argument', text: arg.slice(equals + 1) };
    } else if (arg.startsWith('-')) {
      const [letter = ''] = arg.slice(1);
      if (arg.length > 1 + letter.length) queue.unshift(`-${arg.slice(1 + letter.length)}`);
      yield { kind: 'short', text: letter };
    } else yield { kind: 'argument', text: arg };
  }
}
