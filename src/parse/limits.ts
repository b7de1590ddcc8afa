import { fields, lines, uint } from '../core/text.ts';

/** Parses the soft limits of `/proc/<pid>/limits`; one without limit is the greatest 64 bit number, as the kernel holds it. */
export function parseLimits(text: string): { openFiles: number | undefined; addressSpace: number | undefined } {
  const softLimit = (name: string): number | undefined => {
    const line = lines(text).find((each) => each.startsWith(name));
    const [soft] = fields((line ?? '').slice(name.length));
    return soft === 'unlimited' ? 2 ** 64 : uint(soft);
  };
  return { openFiles: softLimit('Max open files'), addressSpace: softLimit('Max address space') };
}
