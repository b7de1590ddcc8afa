import process from 'node:process';
import { parseFlags } from '../core/flag.ts';
import { createLogger } from '../core/log.ts';
import { runOpener } from '../privilege/separate.ts';
import { programFlags } from './flags.ts';

/** `keyhole opener`, which --privilege.mode=separated starts; `argv` is what follows the word. Answers the exit status. */
export function opener(argv: readonly string[], env: NodeJS.ProcessEnv): number {
  const { sysfs, privilegeSandbox } = programFlags;
  const parsed = parseFlags(argv, [sysfs, privilegeSandbox]);
  const write = (line: string): boolean => process.stderr.write(line);
  const log = createLogger({ level: 'warn', format: 'logfmt', write }, { source: 'opener.ts' });
  runOpener({ sysfs: parsed.valueOf(sysfs), sandbox: parsed.valueOf(privilegeSandbox), env }, log);
  return 0;
}
