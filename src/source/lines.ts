import { isOfInput, ParseError } from '../core/errors.ts';
import type { KernelFile, Line, Lines, Take } from '../core/host.ts';
import { Reading } from '../core/reading.ts';
import { decodeName } from '../core/utf8.ts';
import type { Bytes } from './numbers.ts';
import { isBlank } from './numbers.ts';
import { OP, type Program, TAKES } from './program.ts';

/** What is known of a column while its line is laid out. */
interface Column {
  readonly start: number;
  readonly end: number;
  op: number;
  /** How many bytes before a number, or before what is not looked at, were compared. */
  before: number;
  place: number;
}

const [NEWLINE, ZERO] = [10, 48] as const;
const one = new Float64Array(1);

/** Where samples go that a line writes: those of a line that turns out odd are taken back. */
export interface Undoable {
  mark(): number;
  undo(mark: number): void;
  fault(error: unknown): void;
}

/** A file while it is laid out. */
export class LaidLines implements Lines {
  /** The other files that were looked at, and which content of them. */
  readonly fixedFiles = new Map<KernelFile, number>();
  readonly followedFiles = new Map<KernelFile, number>();
  readonly #all: LaidLine[] = [];
  /** Those that are not blank. */
  readonly #lines: LaidLine[] = [];
  readonly #takes: Take[] = [];
  readonly #out: Undoable;

  /** `numbers`: takes the numbers of the readings, behind those that are there. */
  constructor(file: string, bytes: Bytes, length: number, numbers: number[], out: Undoable) {
    this.#out = out;
    for (let at = 0; at < length; ) {
      const newline = bytes.indexOf(NEWLINE, at);
      const end = newline < 0 || newline > length ? length : newline;
      const line = new LaidLine(file, bytes, at, end, numbers, this.#takes);
      this.#all.push(line);
      if (!line.isBlank()) this.#lines.push(line);
      at = end + 1;
    }
  }

  get length(): number {
    return this.#lines.length;
  }

  at(index: number): Line | undefined {
    return this.#lines[index];
  }

  [Symbol.iterator](): Iterator<Line> {
    return this.#lines.values();
  }

  each(layOut: (line: Line, index: number) => void): void {
    for (const [index, line] of this.#lines.entries()) this.one(line, () => layOut(line, index));
  }

  one(line: Line, layOut: () => void): void {
    const mark = this.#out.mark();
    try {
      layOut();
    } catch (error) {
      // Bugs of ours are not the line's.
      if (!isOfInput(error)) throw error;
      this.#out.undo(mark);
      this.#out.fault(error);
      (line as LaidLine).compareWhole();
    }
  }

  followed(file: KernelFile): string | undefined {
    return this.#beside(file, this.followedFiles);
  }

  fixed(file: KernelFile): string | undefined {
    return this.#beside(file, this.fixedFiles);
  }

  #beside(file: KernelFile, files: Map<KernelFile, number>): string | undefined {
    const text = file.tryText(this.#out);
    files.set(file, file.version);
    return text;
  }

  compile(): Program {
    const code: number[] = [];
    const literals: number[] = [];
    for (const line of this.#all) line.compile(code, literals);
    return { code: Int32Array.from(code), literals: Uint8Array.from(literals), takes: this.#takes };
  }
}

class LaidLine implements Line {
  readonly #file: string;
  readonly #bytes: Bytes;
  readonly #start: number;
  readonly #end: number;
  readonly #numbers: number[];
  /** Takes of collectors' own, of all lines. */
  readonly #takes: Take[];
  readonly #columns: Column[] = [];
  /** Whether it was looked for a column that is not there. */
  #isCounted = false;
  /** The column from which on the rest is literal. */
  #rest = Number.POSITIVE_INFINITY;

  constructor(file: string, bytes: Bytes, start: number, end: number, numbers: number[], takes: Take[]) {
    this.#file = file;
    this.#bytes = bytes;
    this.#start = start;
    this.#end = end;
    this.#numbers = numbers;
    this.#takes = takes;
  }

  /** Columns up to `last`, found when they are asked for: some lines have thousands. */
  #column(last: number): Column | undefined {
    const columns = this.#columns;
    let at = columns.at(-1)?.end ?? this.#start;
    while (columns.length <= last) {
      while (at < this.#end && isBlank(this.#bytes[at] as number)) at += 1;
      if (at >= this.#end) {
        this.#isCounted = true;
        return undefined;
      }
      const start = at;
      while (at < this.#end && !isBlank(this.#bytes[at] as number)) at += 1;
      columns.push({ start, end: at, op: OP.SKIP, before: 0, place: -1 });
    }
    return columns[last];
  }

  isBlank(): boolean {
    return this.#column(0) === undefined;
  }

  #needed(column: number): Column {
    const found = this.#column(column);
    if (found === undefined) throw this.fault();
    return found;
  }

  get length(): number {
    for (let i = this.#columns.length; this.#column(i) !== undefined; i += 1);
    return this.#columns.length;
  }

  find(column: number): string | undefined {
    return this.#column(column) === undefined ? undefined : this.word(column);
  }

  word(column: number): string {
    const found = this.#needed(column);
    // Where it is a number too, that is then as constant as the word.
    found.op = OP.WORD;
    return this.#bytes.toString('utf8', found.start, found.end);
  }

  number(column: number, before = ''): Reading {
    return this.#reading(column, before, OP.NUMBER);
  }

  uint(column: number, before = ''): Reading {
    return this.#reading(column, before, OP.UINT);
  }

  hex(column: number, before = ''): Reading {
    return this.#reading(column, before, OP.HEX);
  }

  auto(column: number): Reading {
    return this.#reading(column, '', OP.AUTO);
  }

  taken(column: number, take: Take): Reading {
    const known = this.#takes.indexOf(take);
    return this.#reading(column, '', OP.OWN + (known < 0 ? this.#takes.push(take) - 1 : known));
  }

  positive(column: number): Reading | undefined {
    const found = this.#needed(column);
    const isZero = found.end === found.start + 1 && this.#bytes[found.start] === ZERO;
    if (!isZero) return this.#reading(column, '', OP.POSITIVE);
    found.op = OP.WORD;
    return undefined;
  }

  upTo(column: number, mark: string): string | undefined {
    const found = this.#column(column);
    if (found === undefined) return undefined;
    const at = this.#bytes.indexOf(mark, found.start);
    const end = at < 0 ? found.end : at + mark.length;
    if (end >= found.end) {
      const word = this.word(column);
      return word.endsWith(mark) ? word : undefined;
    }
    if (found.op === OP.SKIP) found.before = end - found.start;
    return this.#bytes.toString('utf8', found.start, end);
  }

  #reading(column: number, before: string, op: number): Reading {
    const found = this.#needed(column);
    const start = found.start + before.length;
    const take = (op < OP.OWN ? TAKES[op] : this.#takes[op - OP.OWN]) as Take;
    const isBegun = start < found.end && this.#bytes.toString('latin1', found.start, start) === before;
    if (!isBegun || take(this.#bytes, start, found.end, one, 0) !== found.end) {
      // Whoever is laid out at the moment, it is this line that is looked at again.
      this.compareWhole();
      throw this.fault();
    }
    if (found.op === op && found.before === before.length) return new Reading(found.place);
    const place = this.#numbers.push(one[0] as number) - 1;
    if (found.op === OP.SKIP) {
      found.op = op;
      found.before = before.length;
      found.place = place;
    } else {
      // Two things at once: it is then as constant as a word.
      found.op = OP.WORD;
    }
    return new Reading(place);
  }

  rest(column: number): string {
    const found = this.#column(column);
    this.#rest = Math.min(this.#rest, column);
    return found === undefined ? '' : this.#bytes.toString('utf8', found.start, this.#end);
  }

  fault(): ParseError {
    return new ParseError(decodeName(this.#file), this.#bytes.toString('utf8', this.#start, this.#end));
  }

  /** An odd line is odd as long as none of its bytes is another. */
  compareWhole(): void {
    this.#rest = 0;
    this.#column(0);
  }

  compile(code: number[], literals: number[]): void {
    let skipped = 0;
    for (const [i, column] of this.#columns.entries()) {
      if (i >= this.#rest) break;
      if (column.op === OP.SKIP && column.before === 0) {
        skipped += 1;
        continue;
      }
      if (skipped > 0) code.push(OP.SKIP, skipped);
      skipped = 0;
      this.#compileColumn(column, code, literals);
    }
    const rest = this.#rest;
    // Of a line that nobody looked at it is known that it is not blank.
    const isUnseen = skipped === this.#columns.length;
    if (skipped > 0 && (isUnseen || this.#isCounted || rest < Number.POSITIVE_INFINITY)) code.push(OP.SKIP, skipped);
    if (rest === Number.POSITIVE_INFINITY) code.push(this.#isCounted ? OP.END : OP.NEXT);
    else if (rest >= this.#columns.length) code.push(OP.END);
    else code.push(OP.REST, ...this.#literal((this.#columns[rest] as Column).start, this.#end, literals), OP.NEXT);
  }

  #compileColumn({ start, end, op, before, place }: Column, code: number[], literals: number[]): void {
    if (op === OP.WORD) {
      code.push(OP.WORD, ...this.#literal(start, end, literals));
      return;
    }
    if (before > 0) code.push(OP.BEGIN, ...this.#literal(start, start + before, literals));
    if (op === OP.SKIP) code.push(op, 1);
    else code.push(op, place);
  }

  #literal(start: number, end: number, literals: number[]): [from: number, length: number] {
    const from = literals.length;
    for (let i = start; i < end; i += 1) literals.push(this.#bytes[i] as number);
    return [from, end - start];
  }
}
