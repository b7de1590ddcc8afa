import type { Turn } from './collector.ts';
import { DeadlineError, NoDataError, optional, ParseError } from './errors.ts';
import type { Tree } from './host.ts';
import { NotYet } from './not_yet.ts';
import { uint } from './text.ts';

/** What drivers answer for a device that is gone, asleep, broken or being reset, or that has no such property after all. */
const NO_VALUE: readonly string[] = [
  'ENOENT',
  'ENODEV',
  'ENXIO',
  'ENOTDIR',
  'EAGAIN',
  'EBUSY',
  'EINVAL',
  'EIO',
  'ENODATA',
  'EPERM',
  'ENOTSUP',
  'EREMOTEIO',
  'ETIMEDOUT',
];

/** Runs `read`, and answers `undefined` where the driver has no value to give at this moment. */
export const reading = <T>(read: () => T): T | undefined => optional(read, NO_VALUE);

/**
 * Tells of one device after the other, so that one that fails does not silence the others, and lets other collectors run in
 * between. Throws the first fault when all have been told.
 */
export async function eachDevice<T>(
  devices: Iterable<T>,
  turn: Turn,
  tell: (device: T) => void | Promise<void>,
): Promise<void> {
  const faults: unknown[] = [];
  for (const device of devices) {
    await turn.pause();
    try {
      await tell(device);
    } catch (error) {
      if (error instanceof DeadlineError || error instanceof NotYet) throw error;
      faults.push(error);
    }
  }
  if (faults.length > 0) throw faults[0];
}

/** A one-value file without which there is nothing to tell of its device. */
export function neededAttribute(fs: Tree, path: string): string {
  const value = fs.attribute(path);
  if (value === undefined) throw new NoDataError(`${fs.path(path)} is not there`);
  return value;
}

/** The whole number in a one-value file; `undefined` where the file is absent. */
export function uintAttribute(fs: Tree, path: string): number | undefined {
  const text = fs.attribute(path);
  const value = uint(text);
  if (text !== undefined && value === undefined) throw new ParseError(path, text);
  return value;
}
