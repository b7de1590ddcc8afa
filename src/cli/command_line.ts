import { type AnyCollector, toggleOf } from '../core/assemble.ts';
import { type Flag, firstGiven, type ParsedFlags, parseFlags } from '../core/flag.ts';
import type { Logger } from '../core/log.ts';
import { loadPatterns } from '../core/pattern.ts';
import { completionScript, completions } from './completion.ts';
import { printingFlags, programFlags } from './flags.ts';
import { helpText, manPage } from './help.ts';
import { versionText } from './version.ts';

/** Every flag that a command line may hold. */
export interface Declared {
  readonly flags: readonly Flag[];
}

export interface CommandLine {
  /** The name the program was started by. */
  readonly program: string;
  readonly argv: readonly string[];
  readonly env: Readonly<Record<string, string | undefined>>;
}

export function declare(collectors: readonly AnyCollector[]): Declared {
  const byName = (a: Flag, b: Flag): number => (a.name < b.name ? -1 : 1);
  const own = collectors.flatMap((each) => [toggleOf(each), ...(Object.values(each.flags) as Flag[])]);
  return { flags: [...Object.values<Flag>(programFlags), ...own.sort(byName)] };
}

/** The text that the command line asks for (help, version, completions), if it asks for one. */
export function askedText({ program, argv }: CommandLine, { flags }: Declared): string | undefined {
  switch (firstGiven(argv, flags, printingFlags)) {
    case programFlags.help:
      return helpText(program, flags, false);
    case programFlags.helpLong:
      return helpText(program, flags, true);
    case programFlags.helpMan:
      return manPage(program, flags);
    case programFlags.version:
      return versionText();
    case programFlags.completionBash:
      return completions(argv, flags);
    case programFlags.completionScriptBash:
      return completionScript(program, 'bash');
    case programFlags.completionScriptZsh:
      return completionScript(program, 'zsh');
    default:
      return undefined;
  }
}

/** Loads what parsing needs: most command lines have no pattern. */
export async function prepareParsing({ argv }: CommandLine, { flags }: Declared): Promise<void> {
  const patterns = flags.filter(({ isPattern }) => isPattern);
  if (firstGiven(argv, flags, patterns) !== undefined) await loadPatterns();
}

/** After `prepareParsing`. Throws a `UsageError` for whatever is wrong. */
export const parseCommandLine = ({ argv, env }: CommandLine, { flags }: Declared): ParsedFlags =>
  parseFlags(argv, flags, env);

/** Says what of the command line has no effect, or another than its name says. */
export function warnAbout(parsed: ParsedFlags, { flags }: Declared, log: Logger): void {
  for (const each of flags)
    if (each.deprecated !== undefined && parsed.isGiven(each))
      log.warn('deprecated flag', { flag: `--${each.name}`, use: `--${each.deprecated}` });
}
