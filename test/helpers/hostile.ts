import { lines } from '../../src/core/text.ts';
import type { Disk } from '../../src/source/disk.ts';
import { alteredDisk, refusal } from './disk.ts';

/** What can be wrong with the kernel's files; `seed` chooses where. */
export type Mutation = 'truncated' | 'repeated' | 'shuffled' | 'bit-flipped' | 'emptied' | 'ghosts' | 'unreadable';

export const MUTATIONS: readonly Mutation[] = [
  'truncated',
  'repeated',
  'shuffled',
  'bit-flipped',
  'emptied',
  'ghosts',
  'unreadable',
];

type Next = (limit: number) => number;

/** A small generator of numbers below `limit`; the same seed and text give the same numbers. */
function numbers(seed: number, text: string): Next {
  // FNV-1a, so that what a path gives does not depend on what was read before.
  let state = (seed ^ 0x811c9dc5) >>> 0;
  for (let i = 0; i < text.length; i += 1) state = Math.imul(state ^ text.charCodeAt(i), 0x01000193) >>> 0;
  state |= 1;
  return (limit) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return limit === 0 ? 0 : Math.floor((state / 2 ** 32) * limit);
  };
}

function shuffle<T>(items: readonly T[], next: Next): T[] {
  const all = [...items];
  for (let i = all.length - 1; i > 0; i -= 1) {
    const j = next(i + 1);
    [all[i], all[j]] = [all[j] as T, all[i] as T];
  }
  return all;
}

function flipBits(text: string, next: Next): string {
  const bytes = Buffer.from(text, 'latin1');
  for (let flips = 1 + next(3); flips > 0 && bytes.length > 0; flips -= 1) {
    const at = next(bytes.length);
    bytes.writeUInt8(bytes.readUInt8(at) ^ (1 << next(8)), at);
  }
  return bytes.toString('latin1');
}

/** `text` has one character for each byte. */
function mutate(text: string, mutation: Mutation, next: Next): string {
  switch (mutation) {
    case 'truncated':
      return text.slice(0, next(text.length + 1));
    case 'repeated':
      return text.repeat(2 + next(2));
    case 'shuffled':
      return next(2) === 0
        ? `${shuffle(lines(text), next).join('\n')}\n`
        : lines(text)
            .map((line) => `${shuffle(line.split(' '), next).join(' ')}\n`)
            .join('');
    case 'bit-flipped':
      return flipBits(text, next);
    case 'emptied':
      return '';
    case 'ghosts':
    case 'unreadable':
      return text;
  }
}

const CODES = ['EACCES', 'EIO', 'ENODEV', 'EINVAL'] as const;
export const GHOSTS = ['ghost0', '-1', 'cpu99999'] as const;

export interface Fault {
  readonly mutation: Mutation;
  readonly seed: number;
  /** Which paths it strikes; all of them by default. */
  readonly strikes?: (path: string) => boolean;
}

/** The disk as seen through the fault that `faultOf` answers at each read, or as it is. The same fault gives the same bytes. */
export function hostileDisk(faultOf: () => Fault | undefined): Disk {
  const struck = (path: string): Fault | undefined => {
    const fault = faultOf();
    return fault?.strikes?.(path) === false ? undefined : fault;
  };
  const altered = (path: string, text: string): string => {
    const fault = struck(path);
    if (fault === undefined) return text;
    const next = numbers(fault.seed, path);
    if (fault.mutation === 'unreadable' && next(3) === 0) throw refusal(CODES[next(CODES.length)] as string, path);
    return mutate(text, fault.mutation, next);
  };
  return alteredDisk({
    bytes: (path, real) =>
      struck(path) === undefined ? real : Buffer.from(altered(path, real.toString('latin1')), 'latin1'),
    list: (path, real) => (struck(path)?.mutation === 'ghosts' ? [...real, ...GHOSTS] : real),
    link: (path, real) => altered(path, real()),
  });
}
