import { DeadlineError } from './errors.ts';
import type { Turn } from './host.ts';

/** How long collectors may hold the event loop before others get a turn. */
const SLICE_MS = 10;

/** `undefined` at once, or a promise that lets others run after every slice of work; costs a clock reading. */
export interface Pace {
  (): Promise<void> | undefined;
  /** Work begins after a pause that others have had. */
  begin(): void;
}

export function createPace(clock: () => number): Pace {
  let sliceEnd = 0;
  let waiting: Promise<void> | undefined;
  const pace = (): Promise<void> | undefined => {
    if (waiting !== undefined) return waiting;
    if (clock() < sliceEnd) return undefined;
    waiting = new Promise((resolve) => {
      setImmediate(() => {
        waiting = undefined;
        sliceEnd = clock() + SLICE_MS;
        resolve();
      });
    });
    return waiting;
  };
  const begin = (): void => {
    if (waiting === undefined) sliceEnd = Math.max(sliceEnd, clock() + SLICE_MS);
  };
  return Object.assign(pace, { begin });
}

export const notDone = (timeoutMs: number): DeadlineError => new DeadlineError(`not done after ${timeoutMs / 1000} s`);

export interface RunTurn extends Turn {
  begin(startedAt: number): void;
  /** The time is over. */
  end(lateness: DeadlineError): void;
}

/** For all runs of one collector, of which there is one at a time. */
export function createTurn(timeoutMs: number, clock: () => number, pace: Pace): RunTurn {
  let endsAt = 0;
  let abort: AbortController | undefined;
  let lateness: DeadlineError | undefined;
  return {
    begin(startedAt) {
      endsAt = startedAt + timeoutMs;
      abort = undefined;
      lateness = undefined;
    },
    get signal() {
      abort ??= new AbortController();
      if (lateness !== undefined) abort.abort(lateness);
      return abort.signal;
    },
    leftMs: () => endsAt - clock(),
    pause() {
      if (clock() < endsAt) return pace();
      throw notDone(timeoutMs);
    },
    end(error) {
      lateness = error;
      abort?.abort(error);
    },
  };
}

/** One timer for all collectors of a scrape that are waited for, made when the first of them is. */
export interface Deadline {
  passed(): Promise<DeadlineError>;
  clear(): void;
}

export function createDeadline(timeoutMs: number): Deadline {
  let timer: NodeJS.Timeout | undefined;
  let passed: Promise<DeadlineError> | undefined;
  return {
    passed() {
      passed ??= new Promise((resolve) => {
        timer = setTimeout(() => resolve(notDone(timeoutMs)), timeoutMs);
      });
      return passed;
    },
    clear: () => clearTimeout(timer),
  };
}
