import { enabledOf } from '../core/assemble.ts';
import type { CollectorState } from '../core/collector_state.ts';
import { parseFlags } from '../core/flag.ts';
import { HELPS } from './command_helps.ts';
import { type Command, columns, type Program } from './commands.ts';
import { commandFlags, programFlags } from './flags.ts';
import { openTrial } from './trial.ts';

const WORDS: Readonly<Record<CollectorState['state'], string>> = {
  failed: 'FAILED',
  ok: 'ok',
  no_data: 'nothing here',
  never_run: 'not run',
};

const milliseconds = (seconds: number): string => `${(seconds * 1000).toFixed(2)} ms`;

function textOf(states: readonly CollectorState[], disabled: readonly string[]): string {
  const total = states.reduce((sum, { durationSeconds }) => sum + durationSeconds, 0);
  const rows = states.map(({ name, state, series, durationSeconds, error, remark }) => [
    name,
    state === 'ok' && error !== undefined ? 'ok in part' : WORDS[state],
    String(series),
    milliseconds(durationSeconds),
    error ?? (series === 0 ? remark : undefined) ?? '',
  ]);
  const heads = ['COLLECTOR', 'STATE', 'SERIES', 'TIME', 'WHY'];
  return `${columns([heads, ...rows])}
${states.length} collectors, ${milliseconds(total)} in all.
Switched off (--collector.NAME switches them on): ${disabled.join(', ') || 'none'}
`;
}

/** One after the other, so that none waits for another. The first run opens what later ones keep open. */
async function statesOf(program: Program, parsed: ReturnType<typeof parseFlags>): Promise<readonly CollectorState[]> {
  const enabled = enabledOf(program.collectors, parsed, parsed.valueOf(programFlags.disableDefaults));
  const { registry, scrape, close } = openTrial(program, parsed, enabled);
  for (const name of registry.names) {
    await scrape([name]);
    await scrape([name]);
  }
  const states = registry.states();
  close();
  return states;
}

/** `keyhole collectors` */
export const collectorsCommand: Command = async (argv, program) => {
  const { declared, collectors, env, write } = program;
  const parsed = parseFlags(argv, [...declared.flags, commandFlags.json], env);
  if (parsed.valueOf(programFlags.help)) {
    write(HELPS.collectors);
    return 0;
  }
  const states = await statesOf(program, parsed);
  const on = new Set(states.map(({ name }) => name));
  const disabled = collectors.map(({ name }) => name).filter((name) => !on.has(name));
  write(
    parsed.valueOf(commandFlags.json)
      ? `${JSON.stringify({ collectors: states, disabled }, null, 2)}\n`
      : textOf(states, disabled),
  );
  return states.some(({ state }) => state === 'failed') ? 1 : 0;
};
