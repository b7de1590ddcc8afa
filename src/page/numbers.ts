import { formatFloat } from '../core/format.ts';

// Numbers as `formatFloat` writes them, straight into bytes. Counters and decimals of up to 15 digits, which is nearly all
// that a kernel writes, become neither text nor garbage.

const [ZERO, POINT, MINUS, PLUS, LETTER_E] = [48, 46, 45, 43, 101] as const;

/** What a number takes at most: `-2.2250738585072014e-308`. */
export const NUMBER_BYTES_MAX = 32;

const digits = new Uint8Array(24);

/** Writes the digits of a whole number to the end of `digits`, and answers where they begin. */
function splitDigits(whole: number): number {
  let at = digits.length;
  let rest = whole;
  // In parts that fit 32 bits, whose division is one instruction.
  while (rest >= 1e9) {
    const high = Math.floor(rest / 1e9);
    let low = (rest - high * 1e9) | 0;
    for (let i = 0; i < 9; i += 1) {
      const tens = (low / 10) | 0;
      digits[--at] = ZERO + low - tens * 10;
      low = tens;
    }
    rest = high;
  }
  let low = rest | 0;
  do {
    const tens = (low / 10) | 0;
    digits[--at] = ZERO + low - tens * 10;
    low = tens;
  } while (low > 0);
  return at;
}

/** Writes what follows the mantissa; two digits are enough below 1e100, and others never come here. */
function writeExponent(into: Uint8Array, start: number, exponent: number): number {
  const size = Math.abs(exponent);
  into[start] = LETTER_E;
  into[start + 1] = exponent < 0 ? MINUS : PLUS;
  into[start + 2] = ZERO + ((size / 10) | 0);
  into[start + 3] = ZERO + (size % 10);
  return start + 4;
}

function copyDigits(into: Uint8Array, start: number, from: number, count: number): number {
  for (let i = 0; i < count; i += 1) into[start + i] = digits[from + i] as number;
  return start + count;
}

/** Writes `whole` / 10 ** `decimals`; `whole` ends in no zero where there are decimals. */
function writeDecimal(into: Uint8Array, start: number, whole: number, decimals: number): number {
  const from = splitDigits(whole);
  let count = digits.length - from;
  const exponent = count - 1 - decimals;
  let at = start;
  if (exponent >= 6 || exponent < -4) {
    while (count > 1 && digits[from + count - 1] === ZERO) count -= 1;
    into[at++] = digits[from] as number;
    if (count > 1) into[at++] = POINT;
    return writeExponent(into, copyDigits(into, at, from + 1, count - 1), exponent);
  }
  if (exponent < 0) {
    into[at++] = ZERO;
    into[at++] = POINT;
    for (let i = -1; i > exponent; i -= 1) into[at++] = ZERO;
    return copyDigits(into, at, from, count);
  }
  at = copyDigits(into, at, from, exponent + 1);
  if (count === exponent + 1) return at;
  into[at++] = POINT;
  return copyDigits(into, at, from + exponent + 1, count - exponent - 1);
}

const POWERS = [1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9] as const;
/** Every decimal of up to 15 digits is the shortest that means its double. */
const EXACT = 1e15;

/** Writes a number at `start` and answers where it ends. There must be room for `NUMBER_BYTES_MAX`. */
export function writeNumber(into: Uint8Array, start: number, value: number): number {
  const size = Math.abs(value);
  if (size < EXACT) {
    let at = start;
    if (value < 0) into[at++] = MINUS;
    for (let decimals = 0; decimals < POWERS.length; decimals += 1) {
      const power = POWERS[decimals] as number;
      const whole = decimals === 0 ? Math.floor(size) : Math.round(size * power);
      if (whole >= EXACT) break;
      if (whole / power === size) return writeDecimal(into, at, whole, decimals);
    }
  }
  const text = formatFloat(value);
  for (let i = 0; i < text.length; i += 1) into[start + i] = text.charCodeAt(i);
  return start + text.length;
}
