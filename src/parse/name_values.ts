import { lines } from '../core/text.ts';

export interface NameValue {
  readonly name: string;
  readonly value: number;
}

const [TAB, BLANK, ZERO, NINE] = [9, 32, 48, 57] as const;

/** Whether a line goes on at `start` with blanks and then digits to its end. */
function isNumberFrom(line: string, start: number): boolean {
  let at = start;
  while (line.charCodeAt(at) === BLANK || line.charCodeAt(at) === TAB) at += 1;
  if (at === start || at === line.length) return false;
  for (; at < line.length; at += 1) {
    const code = line.charCodeAt(at);
    if (code < ZERO || code > NINE) return false;
  }
  return true;
}

/**
 * Makes a reader of files with a name and a number on each line, as `/proc/vmstat`. It gives the names that `told` takes.
 * Which name stands on which line is nearly always as it was at the reading before: then nothing is taken apart or looked
 * up. Other lines go to `parseLine`, which answers `undefined` for those to pass over.
 */
export function nameValueReader(
  parseLine: (line: string) => NameValue | undefined,
  told: (name: string) => boolean,
): (text: string, tell: (name: string, value: number) => void) => void {
  const known: { readonly name: string; readonly told: boolean }[] = [];
  return (text, tell) => {
    const all = lines(text);
    for (let row = 0; row < all.length; row += 1) {
      const line = all[row] as string;
      const before = known[row];
      if (before !== undefined && line.startsWith(before.name) && isNumberFrom(line, before.name.length)) {
        if (before.told) tell(before.name, Number(line.slice(before.name.length)));
        continue;
      }
      const parsed = parseLine(line);
      if (parsed === undefined) continue;
      const { name, value } = parsed;
      known[row] = { name, told: told(name) };
      if (known[row]?.told === true) tell(name, value);
    }
  };
}
