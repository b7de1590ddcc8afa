/** How the last run of a collector went. Kept at no cost while nobody looks. */
export interface CollectorState {
  readonly name: string;
  readonly state: 'ok' | 'no_data' | 'failed' | 'never_run';
  /** What went wrong, in words, or what was left out all the same; missing where nothing did. */
  readonly error?: string;
  /** The same as it was thrown. */
  readonly cause?: unknown;
  /** Why there is less than one might look for. */
  readonly remark?: string;
  readonly durationSeconds: number;
  /** How many series it wrote. */
  readonly series: number;
  /** How many lines, attributes and devices were left out so far. */
  readonly faults: number;
}
