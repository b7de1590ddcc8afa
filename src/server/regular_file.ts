import { closeSync, constants, fstatSync, openSync, readSync, statSync } from 'node:fs';
import { UsageError } from '../core/errors.ts';

/** What changes when a file is written or replaced. */
export function fingerprint(path: string): string {
  const { dev, ino, size, mtimeNs, ctimeNs } = statSync(path, { bigint: true });
  return [dev, ino, size, mtimeNs, ctimeNs].join(':');
}

/** The text of a file, as `readRegularBytes` reads it. */
export const readRegularFile = (path: string, bytesMax: number): string =>
  readRegularBytes(path, bytesMax).toString('utf8');

/**
 * The bytes of a file. A pipe or a device, which would hold the event loop until somebody writes to it, is a `UsageError`, and so
 * is a file longer than `bytesMax`.
 */
export function readRegularBytes(path: string, bytesMax: number): Buffer {
  const fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOCTTY);
  try {
    const stat = fstatSync(fd);
    if (!stat.isFile()) throw new UsageError('not a regular file');
    if (stat.size > bytesMax) throw new UsageError(`${stat.size} bytes long, more than ${bytesMax}`);
    const bytes = Buffer.allocUnsafe(stat.size);
    let length = 0;
    for (let count = -1; count !== 0 && length < bytes.length; length += count)
      count = readSync(fd, bytes, length, bytes.length - length, null);
    return bytes.subarray(0, length);
  } finally {
    closeSync(fd);
  }
}
