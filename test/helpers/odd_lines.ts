/** In which way a line is odd. */
export type Oddity = 'blank' | 'new' | 'cut' | 'no number' | 'negative' | 'name with a blank' | 'name not UTF-8';

/** What a name that nobody knows has in it. */
export const NEW = 'keyholenew';
/** What stands where a number was. */
export const NO_NUMBER = 'x7';

export interface OddLine {
  readonly oddity: Oddity;
  readonly line: string;
  /** Whether it comes behind the line, or takes its place. */
  readonly isMore: boolean;
}

const NUMBER = /(?<![^\s=:])\d+(?![^\s:])/g;
const NAME = /^(\s*)([A-Za-z][^\s:=]*)/;

const replaced = (line: string, found: RegExpExecArray, by: string): string =>
  line.slice(0, found.index) + by + line.slice(found.index + found[0].length);

/** Everything that a line can be; `turn` chooses which of its numbers is struck. One character stands for each byte. */
export function oddLines(line: string, turn: number): OddLine[] {
  const numbers = [...line.matchAll(NUMBER)];
  const number = numbers[turn % Math.max(1, numbers.length)];
  const renamed = (by: string): string | undefined => (NAME.test(line) ? line.replace(NAME, by) : undefined);
  const last = /\S\s+\S+\s*$/.exec(line);
  const all: [Oddity, string | undefined][] = [
    ['blank', ''],
    ['new', renamed(`$1${NEW}`)],
    ['cut', last === null ? undefined : line.slice(0, last.index + 1)],
    ['no number', number && replaced(line, number, NO_NUMBER)],
    ['negative', number && replaced(line, number, `-${number[0]}`)],
    ['name with a blank', renamed(`$1$2 ${NEW}`)],
    ['name not UTF-8', renamed(`$1\xff${NEW}`)],
  ];
  return all.flatMap(([oddity, odd]) =>
    odd === undefined ? [] : [{ oddity, line: odd, isMore: oddity === 'blank' || oddity === 'new' }],
  );
}

/** The numbers of a text are others. */
export const moved = (text: string): string => text.replace(/\d+/g, (number) => String(BigInt(number) * 3n + 1n));
