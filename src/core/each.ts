import { isOfInput } from './errors.ts';
import type { Turn } from './host.ts';
import type { Writer } from './writer.ts';

/** For `eachOf`: what fails of one thing is a fault of that thing alone. Bugs of ours are not the thing's. */
export const alone =
  <T>(out: Writer, write: (thing: T) => void) =>
  (thing: T): void => {
    try {
      write(thing);
    } catch (error) {
      if (!isOfInput(error)) throw error;
      out.fault(error);
    }
  };

/**
 * Goes over many things, and lets other collectors run in between. Makes no promise unless somebody has to be waited for.
 * `write` must not throw for one thing alone: what it throws ends the rest.
 */
export function eachOf<T>(things: readonly T[], turn: Turn, write: (thing: T) => void): void | Promise<void> {
  for (let i = 0; i < things.length; i += 1) {
    write(things[i] as T);
    const wait = i + 1 < things.length ? turn.pause() : undefined;
    if (wait !== undefined) return goOn(things, i + 1, wait, turn, write);
  }
  return undefined;
}

async function goOn<T>(
  things: readonly T[],
  first: number,
  wait: Promise<void>,
  turn: Turn,
  write: (thing: T) => void,
): Promise<void> {
  await wait;
  for (let i = first; i < things.length; i += 1) {
    write(things[i] as T);
    await turn.pause();
  }
}
