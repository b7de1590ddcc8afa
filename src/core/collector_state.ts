/** How the last run of a collector went. Kept at no cost while nobody looks. */
export interface CollectorState {
  readonly name: string;
  readonly state: 'ok' | 'no_data' | 'failed' | 'never_run';
  /** What went wrong, in words; missing where nothing did. */
  readonly error?: string;
  readonly durationSeconds: number;
  /** How many series it wrote. */
  readonly series: number;
  /** How many lines, attributes or devices could not be used. */
  readonly faults: number;
}

/** Whoever knows how the collectors are. */
export interface CollectorStates {
  /** In the order of the collectors' names. */
  states(): readonly CollectorState[];
}
