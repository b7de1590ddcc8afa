import { type Code, codeOf, DISTANCES, END, LITERALS, putHeader } from './huffman.ts';
import { findMatches, MATCH_MAX, type Piece } from './matches.ts';

// What stands between the numbers of a page stays as it is from scrape to scrape, and so does what of it repeats what. So both are
// compressed once, to a tape: bits as they are written, and matches whose distance depends on how long the numbers between are.
// A scrape plays it and puts its digits between. RFC 1951.

/** By slot, where the text of a number is on the page. */
export interface Numbers {
  readonly starts: Int32Array;
  readonly lengths: Uint8Array;
}

/** The part of a page from one byte to another, and its numbers. */
export interface Part {
  readonly from: number;
  readonly to: number;
  readonly slotFrom: number;
  readonly slotTo: number;
}

export interface Tape {
  readonly literals: Code;
  readonly distances: Code;
  /**
   * Either up to 16 bits, with their count above them. Or a match: the number of the piece that it repeats, inverted by `~`, and
   * then how much farther it is from the start of its own piece than what it repeats is from the start of that one.
   */
  readonly words: Int32Array;
  /** By piece, where its words end. */
  readonly ends: Int32Array;
}

/** A part that is larger is not worth the memory of its tape. */
export const TAPE_BYTES_MAX = 64 << 10;
/** What numbers are made of; each may come in one where it has not been. */
const CHARACTERS = '0123456789.+-eInfNa';

const COUNT_SHIFT = 16;
const BITS_MASK = 0xffff;
const DISTANCE_MAX = 32 << 10;
/** What the header and the end of a block take at most. */
const HEAD_BYTES = 512;

/** Lengths and distances are a symbol and some more bits: the least that each symbol means, and how many bits. */
function ranges(count: number, first: number, perDoubling: number) {
  const bases = new Uint16Array(count);
  const extras = new Uint8Array(count);
  let next = first;
  for (let i = 0; i < count; i += 1) {
    bases[i] = next;
    extras[i] = i < 2 * perDoubling ? 0 : Math.floor(i / perDoubling) - 1;
    next += 1 << (extras[i] as number);
  }
  return { bases, extras };
}
const LENGTHS = ranges(LITERALS - END - 1, 3, 4);
// The longest has a symbol of its own.
[LENGTHS.bases[28], LENGTHS.extras[28]] = [MATCH_MAX, 0];
const SPANS = ranges(DISTANCES, 1, 2);

const rangeOf = ({ bases }: typeof SPANS, value: number): number => bases.findLastIndex((base) => base <= value);

/** By distance less one below 256, and by its 128s from there on. */
const SPAN_OF = Uint8Array.from({ length: 512 }, (_, i) => rangeOf(SPANS, i < 256 ? i + 1 : ((i - 256) << 7) + 1));
const spanOf = (distance: number): number =>
  SPAN_OF[distance <= 256 ? distance - 1 : 256 + ((distance - 1) >> 7)] as number;

/** Bits behind one another, the first one lowest. */
export class Bits {
  #bytes: Buffer = Buffer.allocUnsafeSlow(0);
  #at = 0;
  #held = 0;
  #count = 0;

  /** Forgets what is there, and makes room for so many bytes. */
  begin(room: number): void {
    if (this.#bytes.length < room) this.#bytes = Buffer.allocUnsafeSlow(room + (room >> 3));
    this.#at = 0;
    this.#held = 0;
    this.#count = 0;
  }

  /** At most 16 at once. */
  put(bits: number, count: number): void {
    const held = this.#held | (bits << this.#count);
    const all = this.#count + count;
    if (all < 16) {
      this.#held = held;
      this.#count = all;
      return;
    }
    const bytes = this.#bytes;
    const at = this.#at;
    bytes[at] = held;
    bytes[at + 1] = held >>> 8;
    this.#at = at + 2;
    this.#held = held >>> 16;
    this.#count = all - 16;
  }

  /** The whole bytes so far, until the next `begin`. */
  written(): Buffer {
    return this.#bytes.subarray(0, this.#at);
  }

  /** Goes on at a whole byte. */
  align(): void {
    this.put(0, -this.#count & 7);
    if (this.#count === 8) {
      this.#bytes[this.#at] = this.#held;
      this.#at += 1;
    }
    this.#held = 0;
    this.#count = 0;
  }
}

/** What is found in the pieces of a part, each as its bytes, or as `~source`, how much farther on, and the length. */
function tokensOf(page: Uint8Array, pieces: readonly Piece[]) {
  const tokens: number[] = [];
  const ends: number[] = [];
  const counts = new Uint32Array(LITERALS);
  const spans = new Uint32Array(DISTANCES).fill(1);
  const count = (of: Uint32Array, symbol: number, by = 1): void => {
    of[symbol] = (of[symbol] as number) + by;
  };
  count(counts, END);
  for (const character of CHARACTERS) count(counts, character.charCodeAt(0));
  const found = {
    literal(byte: number) {
      tokens.push(byte);
      count(counts, byte);
    },
    match(length: number, source: number, at: number, own: number) {
      tokens.push(~source, own - at, length);
      count(counts, END + 1 + rangeOf(LENGTHS, length));
      const [here, there] = [pieces[ends.length], pieces[source]] as [Piece, Piece];
      count(spans, spanOf(here.from + own - there.from - at));
    },
  };
  findMatches(page, pieces, found, () => {
    ends.push(tokens.length);
    const next = pieces[ends.length];
    // What is between is a number.
    for (let at = (pieces[ends.length - 1] as Piece).to; at < (next?.from ?? 0); at += 1)
      count(counts, page[at] as number);
  });
  return { tokens, ends, counts, spans };
}

function piecesOf({ from, to, slotFrom, slotTo }: Part, { starts, lengths }: Numbers): Piece[] {
  const pieces: Piece[] = [];
  let begun = from;
  for (let slot = slotFrom; slot < slotTo; slot += 1) {
    const start = starts[slot] as number;
    pieces.push({ from: begun, to: start });
    begun = start + (lengths[slot] as number);
  }
  pieces.push({ from: begun, to });
  return pieces;
}

/** The tape of a part as it is laid out now. */
export function record(page: Uint8Array, part: Part, numbers: Numbers): Tape {
  const { tokens, ends, counts, spans } = tokensOf(page, piecesOf(part, numbers));
  const [literals, distances] = [codeOf(counts), codeOf(spans)];
  const words: number[] = [];
  let held = 0;
  let heldCount = 0;
  const flush = (): void => {
    if (heldCount > 0) words.push((heldCount << COUNT_SHIFT) | held);
    [held, heldCount] = [0, 0];
  };
  const put = (bits: number, count: number): void => {
    if (heldCount + count > 16) flush();
    held |= bits << heldCount;
    heldCount += count;
  };
  putHeader(put, literals, distances);
  const wordEnds = new Int32Array(ends.length);
  let token = 0;
  for (const [piece, end] of ends.entries()) {
    while (token < end) {
      const first = tokens[token++] as number;
      const length = first < 0 ? (tokens[token + 1] as number) : 0;
      const range = rangeOf(LENGTHS, length);
      const symbol = first < 0 ? END + 1 + range : first;
      put(literals.bits[symbol] as number, literals.lengths[symbol] as number);
      if (first >= 0) continue;
      put(length - (LENGTHS.bases[range] as number), LENGTHS.extras[range] as number);
      flush();
      words.push(first, tokens[token] as number);
      token += 2;
    }
    flush();
    wordEnds[piece] = words.length;
  }
  return { literals, distances, words: Int32Array.from(words), ends: wordEnds };
}

/**
 * Writes a part to `into` as blocks of deflate that need nothing of what comes before, and end at a whole byte. Answers `false`
 * where numbers have become so long that a match is out of reach.
 */
export function play(tape: Tape, page: Uint8Array, part: Part, { starts, lengths }: Numbers, into: Bits): boolean {
  const { literals, distances, words, ends } = tape;
  const { from, to, slotFrom, slotTo } = part;
  // A code has 15 bits at most, and a match is longer than its two codes with what they bring.
  into.begin(HEAD_BYTES + 2 * (to - from));
  let at = 0;
  for (let slot = slotFrom; ; slot += 1) {
    const begun = slot === slotFrom ? from : (starts[slot - 1] as number) + (lengths[slot - 1] as number);
    for (const end = ends[slot - slotFrom] as number; at < end; at += 1) {
      const word = words[at] as number;
      if (word >= 0) {
        into.put(word & BITS_MASK, word >> COUNT_SHIFT);
        continue;
      }
      const source = slotFrom + ~word;
      const behind = source === slotFrom ? from : (starts[source - 1] as number) + (lengths[source - 1] as number);
      at += 1;
      const distance = begun - behind + (words[at] as number);
      if (distance > DISTANCE_MAX) return false;
      const span = spanOf(distance);
      into.put(distances.bits[span] as number, distances.lengths[span] as number);
      into.put(distance - (SPANS.bases[span] as number), SPANS.extras[span] as number);
    }
    if (slot === slotTo) break;
    const start = starts[slot] as number;
    const end = start + (lengths[slot] as number);
    for (let i = start; i < end; i += 1) {
      const character = page[i] as number;
      into.put(literals.bits[character] as number, literals.lengths[character] as number);
    }
  }
  into.put(literals.bits[END] as number, literals.lengths[END] as number);
  // An empty block that is stored, which is how deflate comes to a whole byte.
  into.put(0, 3);
  into.align();
  into.put(0, 16);
  into.put(0xffff, 16);
  return true;
}
