import { DeadlineError } from '../core/errors.ts';
import { NotYet } from '../core/not_yet.ts';
import type { SourceClock } from './clock.ts';
import type { AwayDisk } from './disk.ts';

export interface CallsOptions {
  readonly away: () => AwayDisk;
  readonly clock: SourceClock;
  /** Monotonic milliseconds. */
  readonly now: () => number;
  /** How many may be under way at once. */
  readonly callsMax: number;
  /** Called with how long a read took, also where nobody waits for it any more. */
  onRead(path: string, ms: number): void;
}

/** Something asked off the thread. */
interface Call {
  readonly source: string;
  readonly scrape: number;
  readonly answered: Promise<void>;
  isUnderWay: boolean;
  isGivenUp: boolean;
  endedAt: number;
  value: unknown;
  error: unknown;
}

/** An answer serves whoever asks so soon after it: scrapes that overlap would else ask for ever. */
const FRESH_MS = 1000;
const KEPT_MAX = 4096;

const keyOf = (name: keyof AwayDisk, path: string): string => `${name} ${path}`;

/**
 * Answers what was asked at `path` in this scrape. Throws `NotYet` until the answer is there, and a `DeadlineError` while an
 * earlier call to the same source, which nobody waits for any more, has not answered.
 */
export type Ask = (source: string, name: keyof AwayDisk, path: string) => unknown;

export function createCalls({ away, clock, now, callsMax, onRead }: CallsOptions): Ask {
  const calls = new Map<string, Call>();
  const underWay = new Set<Call>();

  const start = (source: string, name: keyof AwayDisk, path: string): Call => {
    const startedAt = now();
    if (calls.size >= KEPT_MAX) calls.clear();
    const { promise: answered, resolve } = Promise.withResolvers<void>();
    const began = { isUnderWay: true, isGivenUp: false, endedAt: 0, value: undefined, error: undefined };
    const call: Call = { source, scrape: clock.scrape, answered, ...began };
    calls.set(keyOf(name, path), call);
    underWay.add(call);
    const run = async (): Promise<void> => {
      try {
        call.value = await away()[name](path, () => call.isGivenUp);
      } catch (error) {
        call.error = error;
      }
      call.isUnderWay = false;
      call.endedAt = now();
      underWay.delete(call);
      if (name === 'readWhole') onRead(path, call.endedAt - startedAt);
      resolve();
    };
    void run();
    return call;
  };

  const waitFor = (path: string, call: Call): NotYet =>
    new NotYet(path, call.answered, () => {
      call.isGivenUp = call.isUnderWay;
    });

  const isUsable = (call: Call): boolean =>
    !call.isUnderWay && !call.isGivenUp && (call.scrape === clock.scrape || now() - call.endedAt < FRESH_MS);

  return (source, name, path) => {
    const known = calls.get(keyOf(name, path));
    if (known !== undefined && isUsable(known)) {
      if (known.error !== undefined) throw known.error;
      return known.value;
    }
    // One after the other of those that hang as one.
    for (const call of underWay) {
      if (call.source !== source) continue;
      if (call.isGivenUp) throw new DeadlineError(`${path}: has not answered yet`);
      throw waitFor(path, call);
    }
    if (underWay.size >= callsMax) {
      for (const call of underWay) if (!call.isGivenUp) throw waitFor(path, call);
      throw new DeadlineError(`${path}: not read, since too much else has not answered yet`);
    }
    throw waitFor(path, start(source, name, path));
  };
}
