import { hasErrno } from '../core/errors.ts';
import type { Disk } from './disk.ts';

/** Who keeps a descriptor, and can do without. */
export interface Keeper {
  /** Whether it could not open its file again: it keeps its descriptor for good. */
  readonly isLasting?: boolean;
  /** Closes what it keeps. It opens its file for each read from then on, as long as there is no room. */
  release(): void;
}

/** The descriptors that are kept open between scrapes: no more than a share of what the process may have. */
export interface Descriptors {
  /** Opens for reading. Where the process has no descriptor left, the kept ones are given back first. */
  open(path: string, isChecked?: boolean): number;
  close(fd: number): void;
  /** Whether this keeper may keep the descriptor that it has. Who comes first keeps: taking turns would serve nobody. */
  keep(keeper: Keeper): boolean;
  forget(keeper: Keeper): void;
  /** Closes all that are kept; whether there were any. */
  giveBack(): boolean;
  readonly kept: number;
}

/** Each descriptor of sysfs and procfs holds a page of the kernel's memory once it was read. */
const KEPT_MAX = 1024;
const SHARE = 4;

const NO_DESCRIPTOR = ['EMFILE', 'ENFILE'] as const;

/** `allowed`: RLIMIT_NOFILE of the process. */
export function createDescriptors(allowed: number, disk: Pick<Disk, 'open' | 'close'>): Descriptors {
  let max = Math.min(KEPT_MAX, Math.floor(allowed / SHARE));
  const keepers = new Set<Keeper>();
  const release = (which: readonly Keeper[]): boolean => {
    for (const keeper of which) {
      keeper.release();
      keepers.delete(keeper);
    }
    return which.length > 0;
  };
  /** What can be opened again; whether there was any. */
  const spare = (): boolean => {
    if (!release([...keepers].filter(({ isLasting }) => isLasting !== true))) return false;
    max = 0;
    return true;
  };
  return {
    get kept() {
      return keepers.size;
    },
    open(path, isChecked) {
      try {
        return disk.open(path, isChecked);
      } catch (error) {
        if (!hasErrno(error, NO_DESCRIPTOR) || !spare()) throw error;
        return disk.open(path, isChecked);
      }
    },
    close: (fd) => disk.close(fd),
    keep(keeper) {
      if (keepers.size >= max && !keeper.isLasting) return false;
      keepers.add(keeper);
      return true;
    },
    giveBack: () => release([...keepers]),
    forget(keeper) {
      keepers.delete(keeper);
    },
  };
}
