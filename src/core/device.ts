import type { Turn } from './collector.ts';
import { NoDataError } from './errors.ts';
import type { KernelFs } from './kernel_fs.ts';

/**
 * Tells of each device in turn. One that cannot be told does not keep the others from being told: the first fault is thrown
 * in the end.
 */
export async function forEachDevice<T>(devices: Iterable<T>, turn: Turn, tell: (device: T) => void): Promise<void> {
  let fault: unknown;
  let faults = 0;
  for (const device of devices) {
    await turn.pause();
    try {
      tell(device);
    } catch (error) {
      if (faults === 0) fault = error;
      faults += 1;
    }
  }
  if (faults > 0) throw fault;
}

/** A one-value file without which there is nothing to tell of its device. */
export function neededAttribute(fs: KernelFs, path: string): string {
  const value = fs.attribute(path);
  if (value === undefined) throw new NoDataError(`${fs.path(path)} is not there`);
  return value;
}
