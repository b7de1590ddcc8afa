import { parseFlags } from '../core/flag.ts';
import { runOpener } from '../privilege/separate.ts';
import { programFlags } from './flags.ts';

/** `keyhole opener`, which --privilege.mode=separated starts; `argv` is what follows the word. Answers the exit status. */
export function opener(argv: readonly string[], env: NodeJS.ProcessEnv): number {
  const parsed = parseFlags(argv, [programFlags.sysfs]);
  runOpener(parsed.valueOf(programFlags.sysfs), env);
  return 0;
}
