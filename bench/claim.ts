import type { Pair } from './pair.ts';

/** Something that the docs say about speed, as a ratio of Keyhole to its peer in the same run. */
export interface Claim {
  readonly says: string;
  /** What its row is called in docs/performance.md, where it has one. */
  readonly row?: string;
  /** The ratio up to which it is true. */
  readonly atMost: number;
  measure(): Promise<Measured | { readonly skipped: string }>;
}

export interface Measured {
  readonly ratio: number;
  /** The figures behind it. */
  readonly detail: string;
  /** Of those with a row. */
  readonly pair?: Pair;
}
