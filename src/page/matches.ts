// What text repeats of text before it (LZ77): found once, for pieces of text between which there is something else.

/** Fewer bytes cost more than they save. */
const MATCH_MIN = 4;
/** Of deflate: RFC 1951, 3.2.5. */
export const MATCH_MAX = 258;
/** The bytes between may become more; deflate reaches 32 KiB. */
const REACH = 24 << 10;
const HASH_BITS = 13;
const TRIES = 16;

/** Where a piece of text begins and ends. */
export interface Piece {
  readonly from: number;
  readonly to: number;
}

export interface Found {
  /** A byte that is not repeated. */
  literal(byte: number): void;
  /** `length` bytes are those that stand `at` the piece `source`. `own` is where they stand in their own piece. */
  match(length: number, source: number, at: number, own: number): void;
}

const hashOf = (bytes: Uint8Array, at: number): number =>
  Math.imul(
    (bytes[at] as number) |
      ((bytes[at + 1] as number) << 8) |
      ((bytes[at + 2] as number) << 16) |
      ((bytes[at + 3] as number) << 24),
    0x9e3779b1,
  ) >>>
  (32 - HASH_BITS);

/** Goes over the pieces of a text in their order; `ended` is called behind each. A match lies in one piece. */
export function findMatches(bytes: Uint8Array, pieces: readonly Piece[], found: Found, ended: () => void): void {
  const first = pieces[0]?.from ?? 0;
  const size = (pieces.at(-1)?.to ?? 0) - first;
  const newest = new Int32Array(1 << HASH_BITS).fill(-1);
  /** By place, the one before with the same hash, and which piece it is in. */
  const older = new Int32Array(size);
  const pieceOf = new Uint16Array(size);
  const remember = (at: number, hash: number): void => {
    older[at - first] = newest[hash] as number;
    newest[hash] = at;
  };
  const lengthAt = (source: number, at: number, to: number): number => {
    const end = Math.min(to - at, (pieces[pieceOf[source - first] as number] as Piece).to - source, MATCH_MAX);
    let length = 0;
    while (length < end && bytes[source + length] === bytes[at + length]) length += 1;
    return length;
  };
  for (const [piece, { from, to }] of pieces.entries()) {
    pieceOf.fill(piece, from - first, to - first);
    for (let at = from; at < to; ) {
      let best = 0;
      let where = 0;
      if (at + MATCH_MIN <= to) {
        let source = newest[hashOf(bytes, at)] as number;
        for (let tries = 0; tries < TRIES && source >= 0 && at - source <= REACH; tries += 1) {
          const length = lengthAt(source, at, to);
          if (length > best) [best, where] = [length, source];
          source = older[source - first] as number;
        }
      }
      const isMatch = best >= MATCH_MIN;
      if (isMatch) {
        const source = pieceOf[where - first] as number;
        found.match(best, source, where - (pieces[source] as Piece).from, at - from);
      } else found.literal(bytes[at] as number);
      const end = at + (isMatch ? best : 1);
      for (; at < end; at += 1) if (at + MATCH_MIN <= to) remember(at, hashOf(bytes, at));
    }
    ended();
  }
}
