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

/** Something that is not there, with all that is below it. */
export interface Gone {
  readonly gone: string;
}

/** Where an answer of the machine stands, and what it is with a fault. The same fault gives the same answer. */
export interface Struck {
  /** A text of bytes, one character each; throws where it is refused. */
  text(path: string, real: string): string;
  /** The names in a folder. */
  names(path: string, real: string[]): string[];
  /** Things in a list. */
  list<T>(path: string, real: readonly T[], copy: (one: T) => T): readonly T[];
  /** A number. */
  number(path: string, real: number): number;
}

/** `faultOf` is asked at each read: the answer may be another one at the next. */
export function createStruck(faultOf: () => Fault | undefined): Struck {
  const struck = (path: string): Fault | undefined => {
    const fault = faultOf();
    return fault?.strikes?.(path) === false ? undefined : fault;
  };
  return {
    text(path, real) {
      const fault = struck(path);
      if (fault === undefined) return real;
      const next = numbers(fault.seed, path);
      if (fault.mutation === 'unreadable' && next(3) === 0) throw refusal(CODES[next(CODES.length)] as string, path);
      return mutate(real, fault.mutation, next);
    },
    names: (path, real) => (struck(path)?.mutation === 'ghosts' ? [...real, ...GHOSTS] : real),
    list(path, real, copy) {
      const fault = struck(path);
      if (fault === undefined) return real;
      const next = numbers(fault.seed, path);
      if (fault.mutation === 'emptied') return [];
      if (fault.mutation === 'truncated') return real.slice(0, next(real.length + 1));
      if (fault.mutation === 'shuffled') return shuffle(real, next);
      if (fault.mutation === 'repeated') return [...real, ...real];
      return fault.mutation === 'ghosts' ? [...real, ...real.slice(0, 1).map(copy)] : real;
    },
    number(path, real) {
      const fault = struck(path);
      return fault?.mutation === 'bit-flipped' ? numbers(fault.seed, path)(1 << 20) : real;
    },
  };
}

/** The disk as seen through a fault, or without what is gone. */
export function hostileDisk(faultOf: () => Fault | undefined, goneOf: () => Gone | undefined = () => undefined): Disk {
  const struck = createStruck(faultOf);
  const isGone = (path: string): boolean => {
    const gone = goneOf()?.gone;
    return gone !== undefined && `${path}/`.startsWith(`${gone}/`);
  };
  const present = (path: string): void => {
    if (isGone(path)) throw refusal('ENOENT', path);
  };
  const disk = alteredDisk({
    bytes(path, real) {
      present(path);
      return Buffer.from(struck.text(path, real.toString('latin1')), 'latin1');
    },
    list(path, real) {
      present(path);
      return struck.names(
        path,
        real.filter((name) => !isGone(`${path}/${name}`)),
      );
    },
    link(path, real) {
      present(path);
      return struck.text(path, real());
    },
    real(path, real) {
      present(path);
      return real();
    },
  });
  return {
    ...disk,
    isThere: (path) => !isGone(path) && disk.isThere(path),
    identity: (path) => (isGone(path) ? undefined : disk.identity(path)),
    sizeBytes(path) {
      present(path);
      return disk.sizeBytes(path);
    },
  };
}
