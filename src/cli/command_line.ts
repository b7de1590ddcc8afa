import { type AnyCollector, toggleOf } from '../core/assemble.ts';
import type { Families } from '../core/collector.ts';
import { messageOf, UsageError } from '../core/errors.ts';
import { type Flag, firstGiven, type ParsedFlags, parseFlags } from '../core/flag.ts';
import type { Logger } from '../core/log.ts';
import { loadPatterns } from '../core/pattern.ts';
import { nearest } from '../core/similar.ts';
import { commandNames } from './commands.ts';
import { completionScript, completions } from './completion.ts';
import { printingFlags, programFlags } from './flags.ts';
import { helpText, manPage } from './help.ts';
import { versionText } from './version.ts';

/** Every flag that a command line may hold. */
export interface Declared {
  readonly flags: readonly Flag[];
  /** The metrics of all collectors, but for those whose names the kernel makes. */
  readonly metrics: readonly string[];
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
  const metrics = collectors.flatMap((each) => Object.values(each.metrics as Families));
  return {
    flags: [...Object.values<Flag>(programFlags), ...own.sort(byName)],
    metrics: metrics.flatMap((metric) => ('pattern' in metric ? [] : metric.name)),
  };
}

/** The text that the command line asks for (help, version, completions), if it asks for one. */
export function askedText({ program, argv }: CommandLine, declared: Declared): string | undefined {
  const { flags } = declared;
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
      return completions(argv, declared);
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
const defaultsIn = (env: CommandLine['env']): string[] => (env[DEFAULTS] ?? '').split(/\s+/).filter(Boolean);

/** Loads what parsing needs: most command lines have no pattern. */
export async function prepareParsing({ argv, env }: CommandLine, { flags }: Declared): Promise<void> {
  const patterns = flags.filter(({ isPattern }) => isPattern);
  if (firstGiven([...defaultsIn(env), ...argv], flags, patterns) !== undefined) await loadPatterns();
}

/** After `prepareParsing`. Throws a `UsageError` for whatever is wrong. */
export function parseCommandLine({ argv, env }: CommandLine, { flags }: Declared): ParsedFlags {
  const defaults = defaultsIn(env);
  try {
    parseFlags(defaults, flags);
  } catch (error) {
    throw new UsageError(`${DEFAULTS}: ${messageOf(error)}`, { cause: error });
  }
  const [word] = argv;
  const meant = word === undefined || /^[-@]/.test(word) ? undefined : nearest(word, commandNames);
  if (meant !== undefined) throw new UsageError(`unexpected ${word}`, { hint: `did you mean '${meant}'?` });
  return parseFlags(argv, flags, env, defaults);
}

/** Says what of the command line has no effect, or another than its name says. */
export function warnAbout(parsed: ParsedFlags, { flags }: Declared, log: Logger): void {
  for (const each of flags)
    if (each.deprecated !== undefined && parsed.isGiven(each))
      log.warn('deprecated flag', { flag: `--${each.name}`, use: `--${each.deprecated}` });
}
