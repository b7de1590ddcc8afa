/** One read of a group: what the kernel answers for its leader (PERF_FORMAT_GROUP), the leader's counter first. */
export interface Reading {
  readonly enabledNs: bigint;
  readonly runningNs: bigint;
  readonly members: readonly { readonly value: bigint; readonly id: bigint }[];
}

/** What is known of a group between scrapes. */
export interface Tally {
  /** The last reading that was counted. */
  enabledNs: bigint;
  runningNs: bigint;
  values: bigint[];
  /** The time enabled that no run has accounted for yet. */
  waitingNs: bigint;
  /** What has been counted since the start, estimated where the group had to take turns. It never decreases. */
  totals: bigint[];
  enabledTotalNs: bigint;
  runningTotalNs: bigint;
}

export const newTally = (members: number): Tally => ({
  enabledNs: 0n,
  runningNs: 0n,
  values: Array.from({ length: members }, () => 0n),
  waitingNs: 0n,
  totals: Array.from({ length: members }, () => 0n),
  enabledTotalNs: 0n,
  runningTotalNs: 0n,
});

/**
 * Adds what happened since the last reading. Where the group ran for a part of the time only, the kernel having had more
 * groups than counters, the part stands for the whole: the estimate is made for each interval on its own, so that a
 * rate over it is that interval's, and so that the sum cannot run backwards.
 */
export function advance(tally: Tally, { enabledNs, runningNs, members }: Reading): void {
  tally.enabledTotalNs += enabledNs - tally.enabledNs - tally.waitingNs;
  const enabled = enabledNs - tally.enabledNs;
  const running = runningNs - tally.runningNs;
  if (running <= 0n) {
    tally.waitingNs = enabled;
    return;
  }
  for (const [i, { value }] of members.entries()) {
    const counted = value - (tally.values[i] ?? 0n);
    // A metric event of top-down is computed by the kernel, and may shrink by a little.
    if (counted < 0n) continue;
    const estimate = running >= enabled ? counted : (counted * enabled) / running;
    tally.totals[i] = (tally.totals[i] ?? 0n) + estimate;
    tally.values[i] = value;
  }
  tally.runningTotalNs += running;
  tally.enabledNs = enabledNs;
  tally.runningNs = runningNs;
  tally.waitingNs = 0n;
}

/** What a living group may do. */
export interface Habits {
  /** Its time may stand still: that of a cgroup whose tasks all sleep. */
  readonly rests?: boolean;
  /** Its counts may shrink, but for the leader's. */
  readonly shrinks?: boolean;
}

/** Whether this reading can be of a living group: all of its members, in order, and time that goes on. */
export function isAlive(
  tally: Tally,
  { enabledNs, runningNs, members }: Reading,
  ids: readonly number[],
  { rests = false, shrinks = false }: Habits = {},
): boolean {
  const before = tally.enabledNs + tally.waitingNs;
  return (
    (enabledNs > before || (rests && enabledNs === before)) &&
    runningNs >= tally.runningNs &&
    members.length === ids.length &&
    members.every(
      ({ id, value }, i) => Number(id) === ids[i] && ((shrinks && i > 0) || value >= (tally.values[i] ?? 0n)),
    )
  );
}

/** A group whose turn has not come for this long has no rate that could be told. */
const WAITING_MAX_NS = 1_000_000_000n;

/** Whether the group has been wanted for long without a turn. One that rests is not wanted. */
export const isStarved = (tally: Tally): boolean => tally.waitingNs >= WAITING_MAX_NS;

/** Whether the totals say something: the group has run, and not too long ago. */
export const isCurrent = (tally: Tally): boolean => tally.runningNs > 0n && !isStarved(tally);
