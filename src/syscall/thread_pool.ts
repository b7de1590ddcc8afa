import { access } from 'node:fs';
import process from 'node:process';
import { UsageError } from '../core/errors.ts';
import type { Logger } from '../core/log.ts';
import { NoSyscallsError, syscall } from './libc.ts';
import { threadLimits, threadsPossible } from './threads.ts';

/**
 * The threads that libuv runs blocking calls on. A call that hangs (statfs on a dead server) takes one away for as long as
 * it hangs, so there must be enough of them, and no one may take them all.
 */

const THREADS = 16;
const LIBUV_DEFAULT = 4;
const LIBUV_MAX = 1024;
/** For the rest of the process: name resolution, files, compression. */
const KEPT_FREE = 4;
/** For files that hang: one thread for each file system of theirs. */
const READS_MAX = 4;

let size = LIBUV_DEFAULT;

/**
 * Makes the pool large enough, unless the environment says how large, and starts its threads at once: libuv ends the process
 * where it cannot start one later. Works only before the pool's first use. Throws a `UsageError` where not one can be started.
 * https://docs.libuv.org/en/v1.x/threadpool.html
 */
export function startThreadPool(env: { UV_THREADPOOL_SIZE?: string | undefined }, log: Logger): void {
  const asked = Number.parseInt(env.UV_THREADPOOL_SIZE ?? '', 10);
  const wanted = Number.isNaN(asked) ? THREADS : Math.min(Math.max(asked, 1), LIBUV_MAX);
  size = possible(wanted);
  if (size === 0) throw new UsageError(`no thread can be started for files and names: ${threadLimits()}`);
  if (size < wanted)
    log.warn('fewer threads than wanted: file systems are left out sooner where some hang', {
      threads: size,
      wanted,
      limits: threadLimits(),
    });
  env.UV_THREADPOOL_SIZE = String(size);
  // The first use starts all of them.
  access('/', () => {});
}

/** Without a way to try, what is wanted. */
function possible(wanted: number): number {
  try {
    return threadsPossible(wanted);
  } catch (error) {
    if (error instanceof NoSyscallsError) return wanted;
    throw error;
  }
}

/** How many reads that may hang can be under way at once. At least one, however small the pool. */
export const hangingReadsMax = (): number => Math.max(1, Math.min(READS_MAX, size >> 2));

/** The same for calls about file systems. */
export const hangingMax = (): number => Math.max(1, size - KEPT_FREE - hangingReadsMax());

let underWay = 0;

/** Makes a call that may hang on the pool, and counts it while it is under way. */
export async function callOnPool<T>(call: () => Promise<T>): Promise<T> {
  underWay += 1;
  try {
    return await call();
  } finally {
    underWay -= 1;
  }
}

/**
 * Ends the process at once. `process.exit` would wait for the threads first, and so for ever where a call on the pool hangs, or
 * where V8 compiles on a thread that waits for this one to collect garbage. Nothing of what Node does at its end is done.
 */
export function exit(status: number): void {
  try {
    syscall('exit_group', status);
  } catch {
    if (underWay > 0) process.kill(process.pid, 'SIGKILL');
  }
  process.exit(status);
}
