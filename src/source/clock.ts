/** When things are looked at again. */
export interface SourceClock {
  /** The number of the scrape: what two readers need in one scrape is read once. 0 outside of scrapes. */
  scrape: number;
  /**
   * Grows for whoever has the turn when devices may have come or gone, and once a minute: then what cannot change otherwise is
   * looked at again. Those who read the same thing may each see another number: who has seen the greater one has nothing to do.
   */
  look: number;
  /** Whether the kernel reports devices that come and go. Otherwise folders are listed at every scrape. */
  readonly isTold: boolean;
  /** How often something was laid out. */
  layouts: number;
  /** A scrape begins. */
  begin(): void;
  /** The look of one part of the scrape. Each has its own second of the minute, so that no scrape pays for all. */
  lookOf(part: number): number;
  /** From here on `look` is that of this part. */
  turnTo(part: number): void;
}

export interface ClockOptions {
  /** Monotonic milliseconds. */
  readonly now: () => number;
  /** A number that grows with everything the kernel reports of devices; missing where it reports nothing to us. */
  readonly events?: (() => number) | undefined;
}

/** Nothing that is remembered of a device is older. */
export const LOOK_MS = 60_000;
const LOOKS = 60;

export function createClock({ now, events }: ClockOptions): SourceClock {
  let seen: number | undefined;
  /** Looks of all at once. */
  let told = 0;
  let toldAt = 0;
  let latest = 0;
  return {
    scrape: 0,
    look: 0,
    isTold: events !== undefined,
    layouts: 0,
    begin() {
      this.scrape += 1;
      const count = events?.() ?? 0;
      const isOther = count !== seen;
      seen = count;
      if (isOther) told += 1;
      latest = told + Math.floor((now() * LOOKS) / LOOK_MS);
      if (isOther) toldAt = latest;
      this.turnTo(0);
    },
    lookOf: (part) => Math.max(toldAt, latest - ((latest + LOOKS - (part % LOOKS)) % LOOKS)),
    turnTo(part) {
      this.look = this.lookOf(part);
    },
  };
}
