import process from 'node:process';
import { syscall } from './libc.ts';

/**
 * The threads that libuv runs blocking calls on. A call that hangs (statfs on a dead server) takes one away for as long as
 * it hangs, so there must be enough of them, and no one may take them all.
 */

const THREADS = 16;
const LIBUV_DEFAULT = 4;
const LIBUV_MAX = 1024;
/** For the rest of the process: name resolution, files, compression. */
const KEPT_FREE = 4;

let size = LIBUV_DEFAULT;

/**
 * Makes the pool large enough, unless the environment says how large. Works only before the pool's first use: call it
 * before anything else. https://docs.libuv.org/en/v1.x/threadpool.html
 */
export function sizeThreadPool(env: { UV_THREADPOOL_SIZE?: string | undefined }): void {
  const asked = Number.parseInt(env.UV_THREADPOOL_SIZE ?? '', 10);
  size = Number.isNaN(asked) ? THREADS : Math.min(Math.max(asked, 1), LIBUV_MAX);
  env.UV_THREADPOOL_SIZE = String(size);
}

/** How many calls that may hang can be under way at once. At least one, however small the pool. */
export const hangingMax = (): number => Math.max(1, size - KEPT_FREE);

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
