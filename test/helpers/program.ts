import { join } from 'node:path';
import process from 'node:process';
import { declare } from '../../src/cli/command_line.ts';
import type { Command, Program } from '../../src/cli/commands.ts';
import { programFlags } from '../../src/cli/flags.ts';
import { collectors } from '../../src/collectors/index.ts';
import { openTree } from '../../src/core/kernel_fs.ts';
import { scrapeMetrics } from '../../src/core/registry.ts';
import { checkWebConfig } from '../../src/server/check_config.ts';
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
  openMachine: (parsed, log) => ({
    proc: openTree(parsed.valueOf(programFlags.procfs)),
    sys: openTree(parsed.valueOf(programFlags.sysfs)),
    udev: openTree(parsed.valueOf(programFlags.udevData)),
    rootfs: '/',
    log,
    now: Date.now,
  }),
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
