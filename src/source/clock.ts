/** When things are looked at again. */
export interface SourceClock {
  /** The number of the scrape: what two readers need in one scrape is read once. 0 outside of scrapes. */
  scrape: number;
  /** Grows when devices may have come or gone, and once a minute: then what cannot change otherwise is looked at again. */
  look: number;
  /** Whether the kernel reports devices that come and go. Otherwise folders are listed at every scrape. */
  readonly isTold: boolean;
  /** How often something was laid out. */
  layouts: number;
  /** A scrape begins. */
  begin(): void;
}

export interface ClockOptions {
  /** Monotonic milliseconds. */
  readonly now: () => number;
  /** A number that grows with everything the kernel reports of devices; missing where it reports nothing to us. */
  readonly events?: (() => number) | undefined;
}

/** Nothing that is remembered of a device is older. */
export const LOOK_MS = 60_000;

export function createClock({ now, events }: ClockOptions): SourceClock {
  let lookedAt = Number.NEGATIVE_INFINITY;
  let seen = -1;
  return {
    scrape: 0,
    look: 0,
    isTold: events !== undefined,
    layouts: 0,
    begin() {
      this.scrape += 1;
      const count = events?.() ?? seen;
      const time = now();
      if (count === seen && time - lookedAt < LOOK_MS) return;
      seen = count;
      lookedAt = time;
      this.look += 1;
    },
  };
}
