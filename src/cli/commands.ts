import type { AnyCollector, Machine } from '../core/assemble.ts';
import type { Metric } from '../core/collector.ts';
import type { Flag, ParsedFlags } from '../core/flag.ts';
import type { Logger } from '../core/log.ts';
import type { Source } from '../source/source.ts';
import type { Declared } from './command_line.ts';
import { commandFlags, programFlags } from './flags.ts';

/** What a web configuration asks for. */
export interface WebConfigFacts {
  readonly tls: boolean;
  /** When the server's certificate ends; missing without TLS. */
  readonly certificateEnds?: Date;
  readonly users: number;
  readonly rateLimit: boolean;
}

/** A machine to read, and what its handles share. */
export interface OpenMachine {
  readonly machine: Machine;
  readonly source: Source;
}

/** What the program hands to its commands. */
export interface Program {
  /** The name it was started by. */
  readonly name: string;
  readonly env: NodeJS.ProcessEnv;
  readonly declared: Declared;
  readonly collectors: readonly AnyCollector[];
  /** The machine that these flags name. Throws a `UsageError` where it is not there. */
  openMachine(parsed: ParsedFlags, log: Logger): OpenMachine;
  /** Throws a `UsageError` where the server would not take these addresses, or this path of the metrics. */
  checkListening(addresses: readonly string[], telemetryPath: string): Promise<void>;
  /** Reads a web configuration as the server does, with its certificates. Throws a `UsageError`. */
  checkWebConfig(path: string): Promise<WebConfigFacts>;
  /** What the exporter says of itself, beside its collectors. */
  ownMetrics(): Promise<readonly Metric[]>;
  write(text: string): void;
}

export const collectorsNamed = ({ collectors }: Program, name: string): readonly AnyCollector[] =>
  collectors.filter((each) => each.name === name);

/** `argv` is what follows the word; answers the exit status. */
export type Command = (argv: readonly string[], program: Program) => Promise<number>;

interface Entry {
  /** What `--help` says. */
  readonly text: string;
  /** What has to follow the word. */
  readonly operand?: 'METRIC' | 'FIRST SECOND';
  /** The flags that it has besides. */
  readonly flags: readonly Flag[];
  /** Whether it takes the flags of the server too. */
  readonly ofServer: boolean;
  load(): Promise<Command>;
}

/** What the program does beside serving, by the word that comes first on the command line. */
const COMMANDS: Readonly<Record<string, Entry>> = {
  doctor: {
    text: 'Report why perf counters, text files, TLS or energy do not work here, and what to change.',
    flags: [commandFlags.json],
    ofServer: true,
    load: async () => (await import('./doctor.ts')).doctor,
  },
  events: {
    text: 'List the events, presets and cgroups that perf counters can be asked for on this machine.',
    flags: [commandFlags.json, commandFlags.help, programFlags.sysfs],
    ofServer: false,
    load: async () => (await import('./events.ts')).eventsCommand,
  },
  collectors: {
    text: 'Run every collector now, and report its state, its series and what it costs.',
    flags: [commandFlags.json],
    ofServer: true,
    load: async () => (await import('./collectors.ts')).collectorsCommand,
  },
  explain: {
    text: 'Report where a metric comes from, down to the line of the kernel file.',
    operand: 'METRIC',
    flags: [commandFlags.json],
    ofServer: true,
    load: async () => (await import('./explain.ts')).explain,
  },
  check: {
    text: 'Check flags, web configuration and text file folders without serving.',
    flags: [],
    ofServer: true,
    load: async () => (await import('./check.ts')).check,
  },
  compare: {
    text: 'Show what one endpoint has and another has not.',
    operand: 'FIRST SECOND',
    flags: Object.values(commandFlags),
    ofServer: false,
    load: async () => (await import('./compare.ts')).compare,
  },
};

export const commandNames: readonly string[] = Object.keys(COMMANDS);

/** Each command with what has to follow it, and what it does. */
export const commandTexts = (): (readonly [name: string, text: string])[] =>
  Object.entries(COMMANDS).map(([name, { text, operand }]) => [
    operand === undefined ? name : `${name} ${operand}`,
    text,
  ]);

const entryOf = (command: string): Entry | undefined => (isCommand(command) ? COMMANDS[command] : undefined);
export const operandOf = (command: string): Entry['operand'] => entryOf(command)?.operand;
export const ownFlagsOf = (command: string): readonly Flag[] => entryOf(command)?.flags ?? [];
export const takesServerFlags = (command: string): boolean => entryOf(command)?.ofServer === true;

export const isCommand = (word: string | undefined): boolean => word !== undefined && Object.hasOwn(COMMANDS, word);

/** The command of this name, loaded only now; `undefined` where there is none. */
export const commandNamed = (word: string | undefined): Promise<Command> | undefined =>
  isCommand(word) ? COMMANDS[word as string]?.load() : undefined;

/** Puts rows under one another, each column as wide as its widest cell. */
export function columns(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] ?? []).map((_, i) => Math.max(...rows.map((row) => (row[i] ?? '').length)));
  return rows
    .map(
      (row) =>
        `${row
          .map((cell, i) => cell.padEnd(widths[i] ?? 0))
          .join('  ')
          .trimEnd()}\n`,
    )
    .join('');
}
