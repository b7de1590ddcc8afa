// Huffman codes of deflate, and the header of a block that brings its own. RFC 1951, 3.2.

/** The symbols of a block: bytes, its end, and lengths of matches. */
export const LITERALS = 286;
export const END = 256;
export const DISTANCES = 30;
const LENGTH_MAX = 15;
const HEADER_LENGTH_MAX = 7;

/** By symbol, its bits as they are written (the first one lowest) and how many; none for a symbol that does not occur. */
export interface Code {
  readonly bits: Uint16Array;
  readonly lengths: Uint8Array;
}

/** Takes bits, lowest first; at most 16 at once. */
export type Put = (bits: number, count: number) => void;

interface Node {
  readonly weight: number;
  readonly symbols: readonly number[];
}

/** How long the code of each symbol is, so that what occurs often is short and nothing is longer than `max`. */
function lengthsOf(counts: Uint32Array, max: number): Uint8Array {
  const lengths = new Uint8Array(counts.length);
  const leaves: Node[] = [...counts.entries()]
    .filter(([, weight]) => weight > 0)
    .map(([symbol, weight]) => ({ weight, symbols: [symbol] }))
    .sort((a, b) => a.weight - b.weight);
  const merged: Node[] = [];
  let [leaf, inner] = [0, 0];
  const lightest = (): Node => {
    const [a, b] = [leaves[leaf], merged[inner]];
    if (b === undefined || (a !== undefined && a.weight <= b.weight)) {
      leaf += 1;
      return a as Node;
    }
    inner += 1;
    return b;
  };
  for (let left = leaves.length; left > 1; left -= 1) {
    const [a, b] = [lightest(), lightest()];
    const symbols = [...a.symbols, ...b.symbols];
    for (const symbol of symbols) lengths[symbol] = (lengths[symbol] as number) + 1;
    merged.push({ weight: a.weight + b.weight, symbols });
  }
  // Rarely: counts that differ less make a flatter tree.
  return lengths.some((length) => length > max)
    ? lengthsOf(
        counts.map((count) => (count + 1) >> 1),
        max,
      )
    : lengths;
}

const reversed = (bits: number, count: number): number => {
  let from = bits;
  let into = 0;
  for (let i = 0; i < count; i += 1) {
    into = (into << 1) | (from & 1);
    from >>= 1;
  }
  return into;
};

/** The code for symbols that occur so often; two of them at least. */
export function codeOf(counts: Uint32Array, max = LENGTH_MAX): Code {
  const lengths = lengthsOf(counts, max);
  const bits = new Uint16Array(lengths.length);
  let next = 0;
  for (let length = 1; length <= max; length += 1) {
    for (const [symbol, own] of lengths.entries()) {
      if (own !== length) continue;
      bits[symbol] = reversed(next, length);
      next += 1;
    }
    next <<= 1;
  }
  return { bits, lengths };
}

/** The order in which a header has the lengths of its own code. */
const ORDER = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15] as const;
/** So many zeros at least and at most, less the first, in 7 bits. */
const ZEROS = { symbol: 18, min: 11, max: 138, bits: 7 } as const;
const DYNAMIC = 0b10;

/** Writes the head of a block, which is not the last, with these codes for its literals and distances. */
export function putHeader(put: Put, literals: Code, distances: Code): void {
  const lengths = [...literals.lengths, ...distances.lengths];
  const words: [symbol: number, more: number][] = [];
  for (let i = 0; i < lengths.length; ) {
    let zeros = 0;
    while (zeros < ZEROS.max && lengths[i + zeros] === 0) zeros += 1;
    if (zeros >= ZEROS.min) words.push([ZEROS.symbol, zeros - ZEROS.min]);
    else words.push([lengths[i] as number, 0]);
    i += zeros >= ZEROS.min ? zeros : 1;
  }
  const counts = new Uint32Array(ORDER.length);
  for (const [symbol] of words) counts[symbol] = (counts[symbol] as number) + 1;
  const code = codeOf(counts, HEADER_LENGTH_MAX);
  put(DYNAMIC << 1, 3);
  put(LITERALS - END - 1, 5);
  put(DISTANCES - 1, 5);
  put(ORDER.length - 4, 4);
  for (const symbol of ORDER) put(code.lengths[symbol] as number, 3);
  for (const [symbol, more] of words) {
    put(code.bits[symbol] as number, code.lengths[symbol] as number);
    if (symbol === ZEROS.symbol) put(more, ZEROS.bits);
  }
}
