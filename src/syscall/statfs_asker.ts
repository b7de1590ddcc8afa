import type { AskedMount, StatfsAnswer, StatfsAsker, StatfsAskerOptions } from '../core/system.ts';
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

/**
 * The last threads are kept: one for local file systems, one more for those that answered last, one more for a mount that came
 * later than the first question. However many of the others hang, each of these is asked.
 */
function createShares() {
  let seen: Set<string> | undefined;
  const newcomers = new Set<string>();
  return {
    begin(mounts: readonly AskedMount[]): void {
      const paths = new Set(mounts.map(({ path }) => path));
      for (const path of newcomers) if (!paths.has(path)) newcomers.delete(path);
      for (const path of paths) if (seen?.has(path) === false) newcomers.add(path);
      seen = paths;
    },
    asked: (path: string): void => void newcomers.delete(path),
    /** How many threads are kept from a mount. */
    keptFrom({ path, isLocal }: AskedMount, isHealthy: boolean): number {
      if (isLocal) return 0;
      if (isHealthy) return 1;
      return newcomers.has(path) ? 2 : 3;
    },
  };
}

export function createStatfsAsker({
  workers,
  timeoutMs,
  call = askFileSystem,
  underWayMax = hangingMax,
}: AskerOptions): StatfsAsker {
  /** The devices whose calls have not returned, from this `ask` or from one before. */
  const underWay = new Set<string>();
  /** Those that answered when they were asked last. */
  let healthy = new Set<string>();
  const shares = createShares();
  const roomFor = (mount: AskedMount): boolean => {
    const max = underWayMax();
    // Of a small pool no more than half is kept.
    const kept = Math.min(max >> 1, shares.keptFrom(mount, healthy.has(mount.path)));
    return underWay.size < max - kept && !underWay.has(mount.device);
  };
  return {
    ask: (mounts, leftMs) =>
      new Promise((resolve) => {
        const answers = new Map<string, StatfsAnswer>();
        const waiting = new Map<string, AskedMount>();
        /** What was asked in this round and may still answer in time, with the moment of asking. */
        const asked = new Map<string, number>();
        const quick = new Set<string>();
        const stillHealthy = new Set<string>();
        let over = false;

        const settle = (path: string, answer: StatfsAnswer): void => {
          quick.delete(path);
          if (asked.delete(path)) answers.set(path, answer);
        };
        const start = async ({ path, device }: AskedMount): Promise<void> => {
          waiting.delete(path);
          shares.asked(path);
          asked.set(path, performance.now());
          quick.add(path);
          underWay.add(device);
          const answer = await call(path);
          underWay.delete(device);
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
          for (const [path, { device }] of waiting) {
            answers.set(path, underWay.has(device) ? TIMED_OUT : NOT_ASKED);
            if (healthy.has(path)) stillHealthy.add(path);
          }
          waiting.clear();
          healthy = stillHealthy;
          resolve(answers);
        };
        const proceed = (): void => {
          for (const mount of waiting.values()) {
            if (quick.size >= workers) break;
            if (roomFor(mount)) void start(mount);
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

        shares.begin(mounts);
        for (const mount of mounts) {
          if (underWay.has(mount.device)) answers.set(mount.path, TIMED_OUT);
          else waiting.set(mount.path, mount);
        }
        const ticking = setInterval(tick, Math.max(1, Math.min(SLOW_MS, timeoutMs)));
        const deadline = setTimeout(end, Math.max(0, leftMs));
        proceed();
      }),
  };
}
