import type { Flag } from '../core/flag.ts';
import { commandTexts } from './commands.ts';
import { commandSections, lastSections, roff } from './man_sections.ts';
import { buildInfo } from './version.ts';

const COLUMN = 34;
const WIDTH = 110;

const SUMMARY = "Serves metrics of this machine's hardware and kernel to Prometheus.";

const valueName = ({ choices, fallback, kind }: Flag): string => {
  if (kind === 'bool') return '';
  if (choices !== undefined) return `=${choices.join('|')}`;
  const shown = fallback.filter((text) => text !== '').join(',');
  return shown === '' ? '=VALUE' : `="${shown}"`;
};

/** `--[no-]name` for booleans; `=` and the fallback, or what there is to choose from, for the others. */
const synopsis = (flag: Flag): string =>
  `--${flag.kind === 'bool' ? '[no-]' : ''}${flag.name}${valueName(flag)}${flag.kind === 'list' ? ' ...' : ''}`;

/** Those that only print and end the program are not worth negating. */
const shownSynopsis = (flag: Flag): string =>
  /^(help|version|completion)/.test(flag.name) ? `--${flag.name}` : synopsis(flag);

function describe(flag: Flag): string {
  const notes = [
    flag.help,
    flag.choices === undefined ? '' : `Default: ${flag.fallback.join(',')}.`,
    flag.kind === 'bool' && flag.fallback[0] === 'true' ? 'On by default.' : '',
    flag.deprecated === undefined ? '' : `Deprecated: use --${flag.deprecated}.`,
    flag.env === undefined ? '' : `Also taken from $${flag.env}.`,
  ];
  return notes.filter((note) => note !== '').join(' ');
}

function wrap(text: string, width: number): string[] {
  const wrapped: string[] = [];
  let line = '';
  for (const word of text.split(' ')) {
    if (line !== '' && line.length + 1 + word.length > width) {
      wrapped.push(line);
      line = word;
    } else line = line === '' ? word : `${line} ${word}`;
  }
  return [...wrapped, line];
}

/** A word and what it means, in two columns. */
function entry(word: string, meaning: string): string {
  const head = `  ${word}`;
  const [first = '', ...others] = wrap(meaning, WIDTH - COLUMN);
  const indent = ' '.repeat(COLUMN);
  const start = head.length + 2 > COLUMN ? `${head}\n${indent}${first}` : `${head.padEnd(COLUMN)}${first}`;
  return [start, ...others.map((line) => indent + line)].join('\n');
}

const flagEntry = (flag: Flag): string =>
  entry(`${flag.short === undefined ? '    ' : `-${flag.short}, `}${shownSynopsis(flag)}`, describe(flag));

const shown = (flags: readonly Flag[], all: boolean): readonly Flag[] =>
  all ? flags : flags.filter(({ hidden, deprecated }) => hidden !== true && deprecated === undefined);

/** What `--help` prints; `all` adds the hidden flags. */
export const helpText = (program: string, flags: readonly Flag[], all: boolean): string => `usage: ${program} [flags]
       ${program} COMMAND [flags]

${SUMMARY}

A flag takes its value as --flag=value or --flag value. @file stands for the arguments in that file, one a line.

Commands, each with a --help of its own:
${commandTexts()
  .map(([name, text]) => entry(name, text))
  .join('\n')}

More help:
${entry('--help-long', 'Every flag, hidden and deprecated ones too.')}
${entry('--help-man', `The man page: ${program} --help-man | man -l -`)}
${entry('--completion-script-{bash,zsh,fish}', `Completions: source <(${program} --completion-script-bash)`)}

Flags:
${shown(flags, all).map(flagEntry).join('\n')}
`;

/** What `--help-man` prints. */
export const manPage = (
  program: string,
  flags: readonly Flag[],
): string => `.TH ${roff(program)} 1 "" "${buildInfo.version}"
.\\" Long patterns cannot be spread over a line.
.ad l
.nh
.SH NAME
${roff(program)} \\- metrics of hardware and kernel for Prometheus
.SH SYNOPSIS
.B ${roff(program)}
[\\fIflags\\fR]
.br
.B ${roff(program)}
\\fIcommand\\fR [\\fIflags\\fR]
.SH DESCRIPTION
${roff(SUMMARY)}
A flag takes its value as \\fB\\-\\-flag=value\\fR or \\fB\\-\\-flag value\\fR.
\\fB@file\\fR stands for the arguments in that file, one a line.
.SH COMMANDS
${commandSections()}
.SH OPTIONS
${flags.map((flag) => `.TP\n\\fB${flag.short === undefined ? '' : `\\-${flag.short}, `}${roff(shownSynopsis(flag))}\\fR\n${roff(describe(flag))}`).join('\n')}
${lastSections(program)}`;
