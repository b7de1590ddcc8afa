import { type AnyCollector, toggleOf } from '../core/assemble.ts';
import { type Flag, firstGiven, flag, type ParsedFlags, parseFlags } from '../core/flag.ts';
import type { Logger } from '../core/log.ts';
import { loadPatterns } from '../core/pattern.ts';
import { completionScript, completions } from './completion.ts';
import { printingFlags, programFlags } from './flags.ts';
import { helpText, manPage } from './help.ts';
import { type PendingCollector, pendingCollectors } from './pending.ts';
import { versionText } from './version.ts';

/** Every flag that a command line may hold. */
export interface Declared {
  readonly flags: readonly Flag[];
  /** The collectors still to come, by their `--collector.<name>`. */
  readonly pending: ReadonlyMap<Flag<boolean>, PendingCollector>;
}

export interface CommandLine {
  /** The name the program was started by. */
  readonly program: string;
  readonly argv: readonly string[];
  readonly env: Readonly<Record<string, string | undefined>>;
}

export function declare(collectors: readonly AnyCollector[]): Declared {
  const known = new Set(collectors.map(({ name }) => name));
  const pending = new Map(
    pendingCollectors
      .filter(({ name }) => !known.has(name))
      .map((each) => [flag.bool(`collector.${each.name}`, `${each.help} Still to come.`, each.enabled), each]),
  );
  const byName = (a: Flag, b: Flag): number => (a.name < b.name ? -1 : 1);
  const own: Flag[] = [
    ...collectors.flatMap((each) => [toggleOf(each), ...(Object.values(each.flags) as Flag[])]),
    ...[...pending].flatMap(([toggle, { flags }]) => [toggle, ...flags]),
  ];
  return { flags: [...Object.values<Flag>(programFlags), ...own.sort(byName)], pending };
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

/** Throws a `UsageError` for whatever is wrong. */
/** Loads what parsing needs: most command lines have no pattern. */
export async function prepareParsing({ argv }: CommandLine, { flags }: Declared): Promise<void> {
  const patterns = flags.filter(({ isPattern }) => isPattern);
  if (firstGiven(argv, flags, patterns) !== undefined) await loadPatterns();
}

/** After `prepareParsing`. */
export const parseCommandLine = ({ argv, env }: CommandLine, { flags }: Declared): ParsedFlags =>
  parseFlags(argv, flags, env);

/** Says what of the command line has no effect, or another than its name says. */
export function warnAbout(parsed: ParsedFlags, { flags, pending }: Declared, log: Logger): void {
  for (const each of flags)
    if (each.deprecated !== undefined && parsed.isGiven(each))
      log.warn('deprecated flag', { flag: `--${each.name}`, use: `--${each.deprecated}` });
  const wanted = [...pending].filter(([toggle]) => parsed.valueOf(toggle)).map(([, { name }]) => name);
  if (wanted.length > 0) log.warn('collectors that are not there yet', { collectors: wanted.join(',') });
}
