import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { optional } from '../core/errors.ts';
import { addressOf, openLibc } from './libc.ts';

/** How many threads the system lets this process have: by trying, since what limits it has many places. */

/** A `sem_t` of glibc takes 32 bytes, `include/bits/semaphore.h`. */
const SEMAPHORE_BYTES = 64;
const GONE_MS = 1000;

const threadCount = (): number => readdirSync('/proc/self/task').length;

/**
 * Starts as many as `wanted` threads that do nothing, ends them, and answers how many could be started. libuv ends the process
 * where it cannot start one. https://man7.org/linux/man-pages/man3/pthread_create.3.html
 */
export function threadsPossible(wanted: number): number {
  const { functions, addressOfFunction } = openLibc({
    pthread_create: { arguments: ['pointer', 'pointer', 'pointer', 'pointer'], return: 'i32' },
    pthread_join: { arguments: ['u64', 'pointer'], return: 'i32' },
    sem_init: { arguments: ['pointer', 'i32', 'u32'], return: 'i32' },
    sem_post: { arguments: ['pointer'], return: 'i32' },
  });
  const before = threadCount();
  const bytes = new Uint8Array(SEMAPHORE_BYTES);
  const semaphore = addressOf(bytes);
  functions.sem_init(semaphore, 0, 0);
  // Each of them waits until it is let go: all of them are there at the same time.
  const wait = addressOfFunction('sem_wait');
  const threads: bigint[] = [];
  const thread = new BigUint64Array(1);
  while (threads.length < wanted && functions.pthread_create(addressOf(thread), 0n, wait, semaphore) === 0)
    threads.push(thread[0] as bigint);
  for (const _ of threads) functions.sem_post(semaphore);
  for (const each of threads) functions.pthread_join(each, 0n);
  // A thread that has been joined still counts for some microseconds.
  for (const until = performance.now() + GONE_MS; threadCount() > before && performance.now() < until; );
  return threads.length;
}

const UNREADABLE = ['ENOENT', 'ENOTDIR', 'EACCES', 'EPERM'] as const;
const textOf = (path: string): string => optional(() => readFileSync(path, 'latin1'), UNREADABLE)?.trim() ?? '';

/** `pids.max` of the control groups that this process is in, with where it says so. */
function groupLimits(cgroups: string): string[] {
  const found: string[] = [];
  for (const line of cgroups.split('\n')) {
    const [, controllers = '', path = '/'] = line.split(':');
    const root = controllers === '' ? '/sys/fs/cgroup' : '/sys/fs/cgroup/pids';
    if (controllers !== '' && !controllers.split(',').includes('pids')) continue;
    for (let group = path; ; group = dirname(group)) {
      const file = join(root, group, 'pids.max');
      const max = textOf(file);
      if (/^\d+$/.test(max)) found.push(`${file} ${max}`);
      if (group === '/') break;
    }
  }
  return found;
}

/** What limits the number of threads here, in words: of the user, of the control groups. */
export function threadLimits(): string {
  const [, soft = ''] = /^Max processes\s+(\d+)/m.exec(textOf('/proc/self/limits')) ?? [];
  const all = [...(soft === '' ? [] : [`RLIMIT_NPROC ${soft}`]), ...groupLimits(textOf('/proc/self/cgroup'))];
  return all.join(', ') || 'unknown';
}
