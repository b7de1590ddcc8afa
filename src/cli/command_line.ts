import { type AnyCollector, toggleOf } from '../core/assemble.ts';
import { messageOf, UsageError } from '../core/errors.ts';
import { type Flag, firstGiven, flag, type ParsedFlags, parseFlags } from '../core/flag.ts';
import type { Logger } from '../core/log.ts';
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
    case programFlags.completionScriptFish:
      return completionScript(program, 'fish');
    default:
      return undefined;
  }
}

/**
 * Flags with blanks between them, which hold where the command line does not give them: how a package has defaults of its own,
 * as Debian's node_exporter has, that its users can still change one by one.
 */
const DEFAULTS = 'KEYHOLE_DEFAULTS';

/** Throws a `UsageError` for whatever is wrong. */
export function parseCommandLine({ argv, env }: CommandLine, { flags }: Declared): ParsedFlags {
  const defaults = (env[DEFAULTS] ?? '').split(/\s+/).filter(Boolean);
  try {
    parseFlags(defaults, flags);
  } catch (error) {
    throw new UsageError(`${DEFAULTS}: ${messageOf(error)}`, { cause: error });
  }
  return parseFlags(argv, flags, env, defaults);
}

/** Says what of the command line has no effect, or another than its name says. */
export function warnAbout(parsed: ParsedFlags, { flags, pending }: Declared, log: Logger): void {
  for (const each of flags)
    if (each.deprecated !== undefined && parsed.isGiven(each))
      log.warn('deprecated flag', { flag: `--${each.name}`, use: `--${each.deprecated}` });
  const wanted = [...pending].filter(([toggle]) => parsed.valueOf(toggle)).map(([, { name }]) => name);
  if (wanted.length > 0) log.warn('collectors that are not there yet', { collectors: wanted.join(',') });
}
