/** Splits a text into lines, without the empty one after the last newline; `\r` at a line's end goes too. */
export function lines(text: string): string[] {
  const all = text.split('\n');
  if (all.at(-1) === '') all.pop();
  return text.includes('\r') ? all.map((line) => (line.endsWith('\r') ? line.slice(0, -1) : line)) : all;
}

/** Blanks as Go's unicode.IsSpace has them, as far as kernel files go. */
const isBlank = (code: number): boolean => code === 32 || (code >= 9 && code <= 13) || code === 0x85 || code === 0xa0;

/** Splits a line at runs of blanks. An empty line has no fields. */
export function fields(line: string): string[] {
  const found: string[] = [];
  let start = -1;
  for (let i = 0; i < line.length; i += 1) {
    if (isBlank(line.charCodeAt(i))) {
      if (start >= 0) found.push(line.slice(start, i));
      start = -1;
    } else if (start < 0) start = i;
  }
  if (start >= 0) found.push(line.slice(start));
  return found;
}

const UINT = /^[0-9]+$/;
const INT = /^[+-]?[0-9]+$/;

/** A non-negative decimal integer as the nearest double, or `undefined`. As Go's ParseUint: no sign, no blanks. */
export const uint = (text: string | undefined): number | undefined =>
  text !== undefined && UINT.test(text) ? Number(text) : undefined;

/** A decimal integer with an optional sign as the nearest double, or `undefined`. */
export const int = (text: string | undefined): number | undefined =>
  text !== undefined && INT.test(text) ? Number(text) : undefined;

/** A decimal integer of any width, for arithmetic that must wrap or divide as 64 bit integers do. */
export const bigint = (text: string | undefined): bigint | undefined =>
  text !== undefined && INT.test(text) ? BigInt(text) : undefined;

const AUTO = /^([+-]?)(0[xX][0-9a-fA-F]+|0[bB][01]+|0[oO]?[0-7]+|0|[1-9][0-9]*)$/;

/** An integer whose prefix tells its base (`0x`, `0b`, `0o`, leading `0` for octal), as Go's ParseInt with base 0. */
export function autoBigint(text: string | undefined): bigint | undefined {
  const [, sign, digits] = AUTO.exec(text?.replaceAll(/(?<=[0-9a-fA-FxXoObB])_(?=[0-9a-fA-F])/g, '') ?? '') ?? [];
  if (digits === undefined) return undefined;
  const value = BigInt(/^0[0-7]+$/.test(digits) ? `0o${digits.slice(1)}` : digits);
  return sign === '-' ? -value : value;
}

const PLAIN = /^(0|[1-9][0-9]*)$/;

/** The same as the nearest double. */
export function autoInt(text: string | undefined): number | undefined {
  if (text !== undefined && PLAIN.test(text)) return Number(text);
  const value = autoBigint(text);
  return value === undefined ? undefined : Number(value);
}

const FLOAT = /^[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?$/;
const SPECIAL = /^(?:([+-]?)(?:inf|infinity)|(nan))$/i;

/** A floating-point number, or `undefined`. Takes `inf` and `nan` in any case, the latter without a sign, as Go's ParseFloat. */
export function float(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  if (UINT.test(text) || FLOAT.test(text)) return Number(text);
  const special = SPECIAL.exec(text);
  if (special === null) return undefined;
  if (special[2] !== undefined) return Number.NaN;
  return special[1] === '-' ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY;
}
