import { ParseError } from '../core/errors.ts';
import { fields } from '../core/text.ts';

/**
 * Parses the heading of a table with one column per CPU (`CPU0 CPU1 CPU3`), as in `/proc/interrupts` and `/proc/softirqs`:
 * the CPUs' numbers, which are not the columns' places where a CPU is offline. https://docs.kernel.org/filesystems/proc.html
 */
export function parseCpuColumns(heading: string | undefined, file: string): string[] {
  const names = fields(heading ?? '');
  if (names.length === 0 || !names.every((name) => /^CPU(0|[1-9][0-9]*)$/.test(name)))
    throw new ParseError(file, heading ?? '');
  return names.map((name) => name.slice('CPU'.length));
}
