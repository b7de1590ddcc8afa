import { ParseError } from '../core/errors.ts';

export interface TaskStat {
  /** The code of a letter: `R` running, `S` sleeping and so on. */
  readonly state: number;
  readonly threads: number;
}

const [BLANK, PARENTHESIS, ZERO] = [32, 41, 48] as const;
const THREADS_COLUMN = 17;

const isDigit = (byte = 0): boolean => byte >= ZERO && byte <= ZERO + 9;
const isLetter = (byte = 0): boolean => (byte >= 65 && byte <= 90) || (byte >= 97 && byte <= 122);

/** Parses `/proc/<pid>/stat`. The name in parentheses may hold anything. https://docs.kernel.org/filesystems/proc.html */
export function parseTaskStat(bytes: Buffer, length: number): TaskStat {
  const close = length === 0 ? -1 : bytes.lastIndexOf(PARENTHESIS, length - 1);
  let at = close + 2;
  const state = bytes[at];
  const isState = close >= 0 && at + 1 < length && isLetter(state) && bytes[at + 1] === BLANK;
  for (let column = 0; column < THREADS_COLUMN; column += 1) {
    while (at < length && bytes[at] !== BLANK) at += 1;
    at += 1;
  }
  const from = at;
  let threads = 0;
  for (; at < length && isDigit(bytes[at]); at += 1) threads = threads * 10 + (bytes[at] as number) - ZERO;
  if (!isState || at === from || at >= length || bytes[at] !== BLANK)
    throw new ParseError('<pid>/stat', bytes.toString('utf8', 0, length));
  return { state: state as number, threads };
}
