import { type StatsFs, statfsSync, statSync } from 'node:fs';
import { stat, statfs } from 'node:fs/promises';
import { getSystemErrorMessage } from 'node:util';
import type { StatfsAnswer } from '../core/system.ts';
import { pathOf } from '../core/utf8.ts';
import { callOnPool } from './thread_pool.ts';

/** Texts where libuv has none, or another than Go's syscall package, whose texts dashboards and alerts know. */
const TEXTS: Readonly<Record<number, string>> = {
  5: 'input/output error',
  12: 'cannot allocate memory',
  14: 'bad address',
  36: 'file name too long',
  40: 'too many levels of symbolic links',
  67: 'link has been severed',
  70: 'communication error on send',
  95: 'operation not supported',
  107: 'transport endpoint is not connected',
  113: 'no route to host',
  116: 'stale NFS file handle',
  117: 'structure needs cleaning',
  126: 'required key not available',
  127: 'key has expired',
};

const EINVAL = 22;

/** The text of an errno (positive), as Go's syscall package has it: in lower case, without the errno's name. */
export const errnoText = (errno: number): string => TEXTS[errno] ?? getSystemErrorMessage(-errno);

const sizeOf = ({ bsize, blocks, bfree, bavail, files, ffree }: StatsFs, deviceNumber: number): StatfsAnswer => ({
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
