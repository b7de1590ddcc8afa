import type { Take } from '../core/host.ts';
import { type Bytes, isBlank, takeAuto, takeHex, takeNumber, takePositive, takeUint } from './numbers.ts';

// What a layout has looked at, as instructions for one pass over the bytes: words are compared, numbers are taken.

/** Operations, each followed by its operands. */
export const OP = {
  /** columns: pass over so many */
  SKIP: 0,
  /** from, length: the column is these literal bytes */
  WORD: 1,
  /** from, length: the column begins with these */
  BEGIN: 2,
  /** from, length: the rest of the line is these */
  REST: 3,
  /** whatever else is in the line */
  NEXT: 4,
  /** nothing else is in the line */
  END: 5,
  /** place: kinds of numbers, which go there */
  UINT: 6,
  NUMBER: 7,
  HEX: 8,
  AUTO: 9,
  POSITIVE: 10,
  /** and behind it those that a collector takes itself, by their places in the program's list */
  OWN: 11,
} as const;

export const TAKES: Readonly<Record<number, Take>> = {
  [OP.UINT]: takeUint,
  [OP.NUMBER]: takeNumber,
  [OP.HEX]: takeHex,
  [OP.AUTO]: takeAuto,
  [OP.POSITIVE]: takePositive,
};

const NEWLINE = 10;
/** A call into native code costs more than a look at the few bytes that are left of most lines. */
const NEAR = 32;

function lineAfter(bytes: Bytes, start: number, length: number): number {
  const near = Math.min(length, start + NEAR);
  for (let at = start; at < near; at += 1) if (bytes[at] === NEWLINE) return at + 1;
  const newline = bytes.indexOf(NEWLINE, near);
  return newline < 0 || newline >= length ? length : newline + 1;
}

function takeOf(op: number, bytes: Bytes, at: number, length: number, numbers: Float64Array, place: number): number {
  // The common ones without a look-up.
  if (op === OP.UINT) return takeUint(bytes, at, length, numbers, place);
  if (op === OP.NUMBER) return takeNumber(bytes, at, length, numbers, place);
  if (op === OP.HEX) return takeHex(bytes, at, length, numbers, place);
  return (TAKES[op] as Take)(bytes, at, length, numbers, place);
}

/** Where the columns to pass over end; -1 where there are fewer. */
function skipColumns(bytes: Bytes, start: number, length: number, columns: number): number {
  let at = start;
  for (let left = columns; ; ) {
    while (at < length && bytes[at] !== NEWLINE && !isBlank(bytes[at] as number)) at += 1;
    left -= 1;
    if (left === 0) return at;
    while (at < length && isBlank(bytes[at] as number)) at += 1;
    if (at >= length || bytes[at] === NEWLINE) return -1;
  }
}

/** Where literal bytes that stand at `start` end; -1 where others do. */
function literalEnd(
  op: number,
  bytes: Bytes,
  start: number,
  length: number,
  literals: Uint8Array,
  from: number,
  count: number,
): number {
  const end = start + count;
  if (end > length) return -1;
  for (let i = 0; i < count; i += 1) if (bytes[start + i] !== literals[from + i]) return -1;
  const isEnd = end === length || bytes[end] === NEWLINE;
  // A number that stands apart is in another column.
  if (op === OP.BEGIN) return isEnd || isBlank(bytes[end] as number) ? -1 : end;
  return isEnd || (op === OP.WORD && isBlank(bytes[end] as number)) ? end : -1;
}

export interface Program {
  readonly code: Int32Array;
  readonly literals: Uint8Array;
  readonly takes: readonly Take[];
}

/**
 * Follows a program over `length` bytes, and puts the numbers to their places. Answers `false` as soon as anything that the
 * layout has looked at is not as it was.
 */
export function follow(
  { code, literals, takes }: Program,
  bytes: Bytes,
  length: number,
  numbers: Float64Array,
): boolean {
  let at = 0;
  let begun = 0;
  let pc = 0;
  while (pc < code.length) {
    const op = code[pc] as number;
    if (op === OP.NEXT) {
      if (begun >= length) return false;
      at = lineAfter(bytes, at, length);
      begun = at;
      pc += 1;
      continue;
    }
    while (at < length && isBlank(bytes[at] as number)) at += 1;
    if (op === OP.END) {
      if (begun >= length || (at < length && bytes[at] !== NEWLINE)) return false;
      at += 1;
      begun = at;
      pc += 1;
      continue;
    }
    if (at >= length || (bytes[at] === NEWLINE && op !== OP.REST)) return false;
    const operand = code[pc + 1] as number;
    if (op >= OP.UINT) {
      at =
        op >= OP.OWN
          ? (takes[op - OP.OWN] as Take)(bytes, at, length, numbers, operand)
          : takeOf(op, bytes, at, length, numbers, operand);
      pc += 2;
    } else if (op === OP.SKIP) {
      at = skipColumns(bytes, at, length, operand);
      pc += 2;
    } else {
      at = literalEnd(op, bytes, at, length, literals, operand, code[pc + 2] as number);
      pc += 3;
    }
    if (at < 0) return false;
  }
  return at >= length;
}
