import type { Flag } from '../core/flag.ts';
import { commandNames, operandOf, ownFlagsOf, takesServerFlags } from './commands.ts';
import { programFlags } from './flags.ts';

/** What a command line may hold. */
export interface Completable {
  readonly flags: readonly Flag[];
  /** Names that `keyhole explain` takes. */
  readonly metrics: readonly string[];
}

/** Shown flags always; hidden ones to who has begun to write them. */
const isOffered = ({ name, hidden, deprecated }: Flag, last: string): boolean =>
  deprecated === undefined &&
  name !== programFlags.completionBash.name &&
  (hidden !== true || (last.length > '--'.length && `--${name}`.startsWith(last)));

const namesOf = (flag: Flag): string[] =>
  flag.kind === 'bool' && !/^(help|version|completion|json|insecure)/.test(flag.name)
    ? [`--${flag.name}`, `--no-${flag.name}`]
    : [`--${flag.name}`];

/** Bash gives `--flag=value` as three words. */
function joined(words: readonly string[]): string[] {
  const all: string[] = [];
  for (const [i, word] of words.entries()) {
    const isValue = word === '=' || (words[i - 1] === '=' && i > 1);
    if (isValue && all.at(-1)?.startsWith('--')) all.push(`${all.pop()}${word}`);
    else all.push(word);
  }
  return all;
}

/** The flags that fit behind a word: those of the command, or those of the server. */
function flagsAfter(command: string, { flags }: Completable): readonly Flag[] {
  if (!commandNames.includes(command)) return flags;
  return [...(takesServerFlags(command) ? flags : []), ...ownFlagsOf(command)];
}

/**
 * What could stand in the place of the last word, as the shell wants it: the values of a flag, flags, commands or metrics that
 * begin like it. Nothing where it is a file's name, which the shell knows itself.
 */
export function completions(argv: readonly string[], all: Completable): string {
  const given = argv.slice(argv.indexOf('--completion-bash') + 1);
  const words = joined(given);
  const last = words.at(-1) ?? '';
  const [command = ''] = words.length > 1 ? words : [];
  const flags = flagsAfter(command, all);
  const [, name, value] = /^--([^=]+)=(.*)$/s.exec(last) ?? [];
  const isJoined = given.length > words.length;
  const fits = (candidates: readonly string[], begin: string, prefix = ''): string =>
    candidates
      .filter((candidate) => candidate.startsWith(begin))
      .map((candidate) => `${prefix}${candidate}\n`)
      .join('');
  if (value !== undefined)
    return fits(flags.find((flag) => flag.name === name)?.choices ?? [], value, isJoined ? '' : `--${name}=`);
  const before = flags.find((flag) => `--${flag.name}` === words.at(-2) && flag.kind !== 'bool');
  if (before !== undefined) return fits(before.choices ?? [], last);
  if (operandOf(command) === 'METRIC' && words.length === 2 && !last.startsWith('-')) return fits(all.metrics, last);
  if (last.startsWith('@') || (operandOf(command) === 'FIRST SECOND' && !last.startsWith('-'))) return '';
  const offered = flags.filter((flag) => isOffered(flag, last)).flatMap(namesOf);
  return fits([...(words.length > 1 ? [] : commandNames), ...offered], last);
}

const SCRIPTS = {
  bash: (program: string, name: string) => `${name}() {
  local word="\${COMP_WORDS[COMP_CWORD]}"
  local found="$("\${COMP_WORDS[0]}" --completion-bash "\${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)"
  [ "$word" != = ] || word=
  COMPREPLY=($(compgen -W "$found" -- "$word"))
}
complete -o default -F ${name} ${program}
`,
  // Loaded from a folder of completions at the first use, the file is the function; sourced, it says what it is for.
  zsh: (program: string) => `#compdef ${program}
_${program}() {
  local -a found
  found=("\${(@f)$("\${words[1]}" --completion-bash "\${(@)words[2,CURRENT]}" 2>/dev/null)}")
  if [ -n "\${found[1]}" ]; then compadd -a found; return; fi
  compset -P '--*=' || compset -P '@'
  _files
}
if [ "\${funcstack[1]}" = "_${program}" ]; then _${program} "$@"; else compdef _${program} ${program}; fi
`,
  fish: (program: string, name: string) => `function ${name}
  set -l words (commandline -opc) (commandline -ct)
  set -l found ($words[1] --completion-bash $words[2..] 2>/dev/null)
  if set -q found[1]
    printf '%s\\n' $found
  else
    set -l begin (string match -r -- '^(?:--[^=]*=|@)?' $words[-1])
    set -l path (string replace -r -- '^(?:--[^=]*=|@)' '' $words[-1])
    for each in $begin(__fish_complete_path $path)
      printf '%s\\n' $each
    end
  end
end
complete -c ${program} -f -a '(${name})'
`,
} as const;

/** A script to be sourced; it asks the program itself for what fits. */
export const completionScript = (program: string, shell: keyof typeof SCRIPTS): string =>
  SCRIPTS[shell](program, `_${program.replace(/[^a-zA-Z0-9_]/g, '_')}_complete`);
