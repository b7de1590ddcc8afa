import type { Take } from '../core/host.ts';

/** Numbers as the kernel writes them, straight out of bytes: no text is made of what a double can hold as it is read. */

const [ZERO, NINE, MINUS, PLUS, POINT, NEWLINE] = [48, 57, 45, 43, 46, 10] as const;

export const isBlank = (byte: number): boolean =>
  byte === 32 || byte === 9 || byte === 13 || byte === 11 || byte === 12;

/** Up to this many digits a whole number is exact as it is added up. */
const DIGITS_EXACT = 15;
/** What is less than this times ten fits a double together with a digit. */
const WORD = 2 ** 32;
const DECIMALS = [1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15] as const;

export type Bytes = Buffer;

const isEnd = (bytes: Bytes, at: number, end: number): boolean =>
  at >= end || bytes[at] === NEWLINE || isBlank(bytes[at] as number);

/** The nearest double to the digits from `first` to `end`, which are below 2 ** 64: in two words, rounded once. */
function long(bytes: Bytes, first: number, end: number): number {
  let high = 0;
  let low = 0;
  for (let at = first; at < end; at += 1) {
    low = low * 10 + (bytes[at] as number) - ZERO;
    const carry = Math.floor(low / WORD);
    low -= carry * WORD;
    high = high * 10 + carry;
  }
  return high < WORD ? high * WORD + low : Number(bytes.toString('latin1', first, end));
}

/** The double next to the largest number of 64 bits. */
const UINT_MAX = 2 ** 64;

/** Takes a number of up to 64 bits without sign and point, and answers where it ends; -1 for what is none. */
export function takeUint(bytes: Bytes, start: number, end: number, into: Float64Array, place: number): number {
  let at = start;
  let value = 0;
  for (; at < end; at += 1) {
    const byte = bytes[at] as number;
    if (byte < ZERO || byte > NINE) break;
    value = value * 10 + byte - ZERO;
  }
  if (at === start || !isEnd(bytes, at, end)) return -1;
  if (at - start > DIGITS_EXACT) value = long(bytes, start, at);
  if (value > UINT_MAX) return -1;
  into[place] = value;
  return at;
}

/** The same of a number with a sign and a point, or `inf` and `nan` in any case: what Go's ParseFloat takes but for `_` and hex. */
export function takeNumber(bytes: Bytes, start: number, end: number, into: Float64Array, place: number): number {
  const sign = bytes[start];
  const first = start < end && (sign === MINUS || sign === PLUS) ? start + 1 : start;
  let at = first;
  let value = 0;
  let point = -1;
  for (; at < end; at += 1) {
    const byte = bytes[at] as number;
    if (byte >= ZERO && byte <= NINE) value = value * 10 + byte - ZERO;
    else if (byte === POINT && point < 0) point = at;
    else break;
  }
  const digits = at - first - (point < 0 ? 0 : 1);
  if (digits === 0 || !isEnd(bytes, at, end)) return takeOther(bytes, start, end, into, place);
  if (digits > DIGITS_EXACT) value = point < 0 ? long(bytes, first, at) : Number(bytes.toString('latin1', first, at));
  else if (point >= 0) value /= DECIMALS[at - point - 1] as number;
  into[place] = sign === MINUS ? -value : value;
  return at;
}

const EXPONENT = /^[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)[eE][+-]?[0-9]+$/;
const SPECIAL = /^(?:([+-]?)inf(?:inity)?|(nan))$/i;

/** Rare forms, by their text. */
function takeOther(bytes: Bytes, start: number, end: number, into: Float64Array, place: number): number {
  let at = start;
  while (!isEnd(bytes, at, end)) at += 1;
  const text = bytes.toString('latin1', start, at);
  const special = SPECIAL.exec(text);
  if (special === null) {
    if (!EXPONENT.test(text)) return -1;
    into[place] = Number(text);
  } else if (special[2] !== undefined) into[place] = Number.NaN;
  else into[place] = special[1] === '-' ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY;
  return at;
}

const HEX_DIGITS_MAX = 16;

/** The same of one that is more than 0. */
export function takePositive(bytes: Bytes, start: number, end: number, into: Float64Array, place: number): number {
  const at = takeUint(bytes, start, end, into, place);
  return into[place] === 0 ? -1 : at;
}

/** The same of a hexadecimal number of up to 64 bits without a prefix. */
export function takeHex(bytes: Bytes, start: number, end: number, into: Float64Array, place: number): number {
  let high = 0;
  let low = 0;
  let at = start;
  for (; at < end; at += 1) {
    const byte = bytes[at] as number;
    const letter = byte | 32;
    const digit = byte >= ZERO && byte <= NINE ? byte - ZERO : letter >= 97 && letter <= 102 ? letter - 87 : -1;
    if (digit < 0) break;
    low = low * 16 + digit;
    const carry = Math.floor(low / WORD);
    low -= carry * WORD;
    high = high * 16 + carry;
  }
  if (at === start || at - start > HEX_DIGITS_MAX || !isEnd(bytes, at, end)) return -1;
  into[place] = high * WORD + low;
  return at;
}

/** Takes as ParseInt with base 0 of Go: `0x…`, `0…` for octal, a sign; up to 64 bits. */
export function takeAuto(bytes: Bytes, start: number, end: number, into: Float64Array, place: number): number {
  const first = bytes[start] === MINUS || bytes[start] === PLUS ? start + 1 : start;
  const prefixed = bytes[first] === ZERO && !isEnd(bytes, first + 1, end);
  const letter = prefixed ? (bytes[first + 1] as number) | 32 : 0;
  let at: number;
  if (letter === 120) at = takeHex(bytes, first + 2, end, into, place);
  else if (prefixed) at = takeOctal(bytes, first + 1, end, into, place);
  else at = takeUint(bytes, first, end, into, place);
  if (at >= 0 && bytes[start] === MINUS) into[place] = -(into[place] as number);
  return at;
}

function takeOctal(bytes: Bytes, start: number, end: number, into: Float64Array, place: number): number {
  let at = start;
  while (!isEnd(bytes, at, end)) at += 1;
  const text = bytes.toString('latin1', start, at);
  if (!/^[oO]?[0-7]+$/.test(text) && !/^[bB][01]+$/.test(text)) return -1;
  into[place] = Number(BigInt(/^[oObB]/.test(text) ? `0${text}` : `0o${text}`));
  return at;
}

const isSpace = (byte: number): boolean => isBlank(byte) || byte === NEWLINE;

/** Takes a number that stands alone between blanks. */
export function takeWhole(bytes: Bytes, length: number, take: Take, into: Float64Array, place: number): boolean {
  let start = 0;
  while (start < length && isSpace(bytes[start] as number)) start += 1;
  if (start === length) return false;
  let end = take(bytes, start, length, into, place);
  if (end < 0) return false;
  while (end < length && isSpace(bytes[end] as number)) end += 1;
  return end === length;
}
