import { type StatsFs, statfsSync, statSync } from 'node:fs';
import { stat, statfs } from 'node:fs/promises';
import { getSystemErrorMessage } from 'node:util';
import type { StatfsAnswer } from '../core/system.ts';
import { pathOf } from '../core/utf8.ts';
import { ERRNO_TEXTS } from './errno_texts.ts';
import { callOnPool } from './thread_pool.ts';

const EINVAL = 22;

/** libuv has its own texts for the common ones, which are Go's where `ERRNO_TEXTS` has none. */
const UNKNOWN = /^Unknown system error -/;

/** The text of an errno (positive), as Go's syscall package has it: in lower case, without the errno's name. */
export const errnoText = (errno: number): string =>
  ERRNO_TEXTS[errno] ?? getSystemErrorMessage(-errno).replace(UNKNOWN, 'errno ');

const sizeOf = ({ type, bsize, blocks, bfree, bavail, files, ffree }: StatsFs, deviceNumber: number): StatfsAnswer => ({
  magic: type,
  blockBytes: bsize,
  blocks,
  blocksFree: bfree,
  blocksAvailable: bavail,
  files,
  filesFree: ffree,
  deviceNumber,
});

function refusalOf(error: unknown): StatfsAnswer {
  // Node refuses a path with a zero byte itself, without an errno.
  const { errno } = error as { errno?: unknown };
  return { refusal: errnoText(typeof errno === 'number' ? -errno : EINVAL) };
}

/**
 * Asks off the event loop. `path` holds one character per byte (latin1), so that it can be what is not UTF-8.
 * May take for ever, and a thread of libuv's pool as long: `createStatfsAsker` is for that.
 */
export async function askFileSystem(path: string): Promise<StatfsAnswer> {
  try {
    const bytes = Buffer.from(path, 'latin1');
    const size = await callOnPool(() => statfs(bytes));
    return sizeOf(size, (await callOnPool(() => stat(bytes))).dev);
  } catch (error) {
    return refusalOf(error);
  }
}

/** The same on this thread: for file systems that answer from memory. */
export function askFileSystemNow(path: string): StatfsAnswer {
  try {
    return sizeOf(statfsSync(pathOf(path)), statSync(pathOf(path)).dev);
  } catch (error) {
    return refusalOf(error);
  }
}
