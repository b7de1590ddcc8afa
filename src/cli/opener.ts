import process from 'node:process';
import { parseFlags } from '../core/flag.ts';
import { createLogger } from '../core/log.ts';
import { runOpener } from '../privilege/separate.ts';
import { programFlags } from './flags.ts';

/** `keyhole opener`, which --privilege.mode=separated starts; `argv` is what follows the word. Answers the exit status. */
export function opener(argv: readonly string[], env: NodeJS.ProcessEnv): number {
  const { sysfs, privilegeSandbox, privilegeUser } = programFlags;
  const parsed = parseFlags(argv, [sysfs, privilegeSandbox, privilegeUser]);
  const write = (line: string): boolean => process.stderr.write(line);
  const log = createLogger({ level: 'warn', format: 'logfmt', write }, { source: 'opener.ts' });
  const [sandbox, user] = [parsed.valueOf(privilegeSandbox), parsed.valueOf(privilegeUser)];
  runOpener({ sysfs: parsed.valueOf(sysfs), sandbox, user, env }, log);
  return 0;
}
