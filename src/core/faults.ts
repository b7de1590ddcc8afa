/** Takes what could not be read, of a scrape or of a layout. */
export interface Faults {
  fault(error: unknown): void;
}

/** Where it does not matter why there is nothing. */
export const unsaid: Faults = { fault() {} };
