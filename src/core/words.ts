import { ParseError } from './errors.ts';
import type { Device } from './host.ts';
import { autoInt } from './text.ts';
import type { LayoutWriter } from './writer.ts';

/** 1 where a word is the one that is wanted, 0 where it is another, and nothing where there is no word. */
export const oneIf = (word: string | undefined, wanted: string): number | undefined =>
  word === undefined ? undefined : Number(word === wanted);

/** The integer in a file, where its sign or its bits decide what is written; text that is none is a fault. */
export function intWord(device: Device, file: string, out: LayoutWriter): number | undefined {
  const word = device.word(file);
  const value = autoInt(word);
  if (word !== undefined && value === undefined) out.fault(new ParseError(`${device.path}/${file}`, word));
  return value;
}
