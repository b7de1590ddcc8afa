import { ParseError } from '../core/errors.ts';
import { uint } from '../core/text.ts';

/** The kernel's own limit is 8192 at most (`CONFIG_NR_CPUS`); a number beyond 16 bits is not one of a CPU. */
const CPU_MAX = 65535;

/**
 * Parses a list of CPUs as the kernel writes it (`0-3,5`, or an empty line), in the order written. `file` is for the message.
 * The same notation names NUMA nodes. https://docs.kernel.org/admin-guide/cputopology.html
 */
export function parseCpulist(text: string, file: string): number[] {
  const list = text.trim();
  if (list === '') return [];
  const cpus: number[] = [];
  for (const range of list.split(',')) {
    const [from, to = from, ...rest] = range.split('-');
    const first = uint(from);
    const last = uint(to);
    if (first === undefined || last === undefined || rest.length > 0 || last < first || last > CPU_MAX)
      throw new ParseError(file, list);
    if (cpus.length + last - first > CPU_MAX) throw new ParseError(file, list);
    for (let cpu = first; cpu <= last; cpu += 1) cpus.push(cpu);
  }
  return cpus;
}
