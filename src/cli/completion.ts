import type { Flag } from '../core/flag.ts';
import { commandNames } from './commands.ts';

const isShown = ({ hidden, deprecated }: Flag): boolean => hidden !== true && deprecated === undefined;

const namesOf = (flag: Flag): string[] =>
  flag.kind === 'bool' && !/^(help|version)/.test(flag.name)
    ? [`--${flag.name}`, `--no-${flag.name}`]
    : [`--${flag.name}`];

/** What could stand in the place of the last word: the values of the flag before it, or commands and flags that begin like it. */
export function completions(argv: readonly string[], flags: readonly Flag[]): string {
  const words = argv.slice(argv.indexOf('--completion-bash') + 1);
  const last = words.at(-1) ?? '';
  const before = flags.find(({ name }) => `--${name}` === words.at(-2));
  const candidates =
    before?.choices ??
    [...(words.length > 1 ? [] : commandNames), ...flags.filter(isShown).flatMap(namesOf)].filter((name) =>
      name.startsWith(last),
    );
  return candidates.map((candidate) => `${candidate}\n`).join('');
}

/** A script to be sourced; it asks the program itself for what fits. */
export function completionScript(program: string, shell: 'bash' | 'zsh'): string {
  const name = `_${program.replace(/[^a-zA-Z0-9_]/g, '_')}_complete`;
  const zsh = `#compdef ${program}\nautoload -U compinit bashcompinit && compinit && bashcompinit\n`;
  return `${shell === 'zsh' ? zsh : ''}${name}() {
  local word="\${COMP_WORDS[COMP_CWORD]}"
  COMPREPLY=($(compgen -W "$("\${COMP_WORDS[0]}" --completion-bash "\${COMP_WORDS[@]:1:COMP_CWORD}")" -- "$word"))
}
complete -F ${name} ${program}
`;
}
