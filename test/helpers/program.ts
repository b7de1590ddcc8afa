import { join } from 'node:path';
import process from 'node:process';
import { declare } from '../../src/cli/command_line.ts';
import type { Command, Program } from '../../src/cli/commands.ts';
import { collectors } from '../../src/collectors/index.ts';
import { scrapeMetrics } from '../../src/core/registry.ts';
import { openMachine } from '../../src/machine.ts';
import { checkListening, checkWebConfig } from '../../src/server/check_config.ts';
import { FIXTURES } from './scrape.ts';

/** Flags that make the fixtures the machine. */
export const OVER_FIXTURES: readonly string[] = [
  `--path.procfs=${join(FIXTURES, 'proc')}`,
  `--path.sysfs=${join(FIXTURES, 'sys')}`,
];

/** The program as its commands see it; what it writes goes to `write`. */
export const programThat = (write: (text: string) => void): Program => ({
  name: 'keyhole',
  env: process.env,
  declared: declare(collectors),
  collectors,
  openMachine: (parsed, log) => openMachine(parsed, log, { needsProc: true, end() {} }),
  checkListening: async (addresses, path) => checkListening(addresses, path),
  checkWebConfig,
  ownMetrics: async () => Object.values(scrapeMetrics),
  write,
});

/** Runs a command, and answers what it wrote. */
export async function runCommand(
  command: Command,
  ...argv: readonly string[]
): Promise<{ readonly status: number; readonly text: string }> {
  let text = '';
  const program = programThat((part) => {
    text += part;
  });
  return { status: await command(argv, program), text };
}
