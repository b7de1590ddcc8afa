import type { StatfsAnswer, StatfsAsker, StatfsAskerOptions } from '../core/system.ts';
import { askFileSystem } from './statfs.ts';
import { hangingMax } from './thread_pool.ts';

export interface AskerOptions extends StatfsAskerOptions {
  /** What makes the call. */
  readonly call?: (path: string) => Promise<StatfsAnswer>;
  /** How many calls may be under way, hanging ones included. */
  readonly underWayMax?: () => number;
}

export const TIMED_OUT: StatfsAnswer = { refusal: 'mountpoint timeout' };
/** Hanging calls occupy every thread that they may have. */
export const NOT_ASKED: StatfsAnswer = { refusal: 'not asked: too many mountpoints hang' };

/** A call that takes longer no longer counts as one of the workers. A healthy one takes microseconds. */
const SLOW_MS = 100;

export function createStatfsAsker({
  workers,
  timeoutMs,
  call = askFileSystem,
  underWayMax = hangingMax,
}: AskerOptions): StatfsAsker {
  /** The paths whose calls have not returned, from this `ask` or from one before. */
  const underWay = new Set<string>();
  /** Those that answered when they were asked last. The last thread that calls may have is kept for them. */
  let healthy = new Set<string>();
  const roomFor = (path: string): boolean => {
    const max = underWayMax();
    return underWay.size < (max === 1 || healthy.has(path) ? max : max - 1);
  };
  return {
    ask: (paths, leftMs) =>
      new Promise((resolve) => {
        const answers = new Map<string, StatfsAnswer>();
        const waiting = new Set<string>();
        /** What was asked in this round and may still answer in time, with the moment of asking. */
        const asked = new Map<string, number>();
        const quick = new Set<string>();
        const stillHealthy = new Set<string>();
        let over = false;

        const settle = (path: string, answer: StatfsAnswer): void => {
          quick.delete(path);
          if (asked.delete(path)) answers.set(path, answer);
        };
        const start = async (path: string): Promise<void> => {
          waiting.delete(path);
          asked.set(path, performance.now());
          quick.add(path);
          underWay.add(path);
          const answer = await call(path);
          underWay.delete(path);
          if (over) return;
          if (asked.has(path)) stillHealthy.add(path);
          settle(path, answer);
          proceed();
        };
        const end = (): void => {
          over = true;
          clearInterval(ticking);
          clearTimeout(deadline);
          for (const path of asked.keys()) settle(path, TIMED_OUT);
          for (const path of waiting) {
            answers.set(path, NOT_ASKED);
            if (healthy.has(path)) stillHealthy.add(path);
          }
          waiting.clear();
          healthy = stillHealthy;
          resolve(answers);
        };
        const proceed = (): void => {
          for (const path of waiting) {
            if (quick.size >= workers) break;
            if (roomFor(path)) void start(path);
          }
          // What is under way but no longer waited for will hardly make room.
          if (asked.size === 0) end();
        };
        const tick = (): void => {
          const now = performance.now();
          for (const [path, since] of asked) {
            if (now - since >= SLOW_MS) quick.delete(path);
            if (now - since >= timeoutMs) settle(path, TIMED_OUT);
          }
          proceed();
        };

        for (const path of paths) {
          if (underWay.has(path)) answers.set(path, TIMED_OUT);
          else waiting.add(path);
        }
        const ticking = setInterval(tick, Math.max(1, Math.min(SLOW_MS, timeoutMs)));
        const deadline = setTimeout(end, Math.max(0, leftMs));
        proceed();
      }),
  };
}
