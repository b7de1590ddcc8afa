import { constants, type Stats } from 'node:fs';
import { type FileHandle, open, readdir, stat } from 'node:fs/promises';
import { posix } from 'node:path';
import { LimitError } from '../core/errors.ts';
import { glob } from '../core/glob.ts';
import type { FileState, OthersFiles } from '../core/host.ts';

function stateOf(stats: Stats): FileState {
  if (!stats.isFile()) throw new Error('not a regular file');
  return { mtimeMs: stats.mtimeMs, sizeBytes: stats.size, inode: stats.ino };
}

async function readAll(file: FileHandle, expectedBytes: number, bytesMax: number): Promise<Buffer> {
  let buffer = Buffer.allocUnsafe(Math.min(expectedBytes, bytesMax) + 1);
  let length = 0;
  for (;;) {
    const { bytesRead } = await file.read(buffer, length, buffer.length - length);
    if (bytesRead === 0) return buffer.subarray(0, length);
    length += bytesRead;
    if (length > bytesMax) throw new LimitError(`longer than ${bytesMax} bytes`);
    if (length === buffer.length) buffer = Buffer.concat([buffer], buffer.length * 2);
  }
}

export const othersFiles: OthersFiles = {
  glob,
  list: async (folder) => (await readdir(folder)).map((name) => posix.join(folder, name)),
  look: async (path) => stateOf(await stat(path)),
  async read(path, bytesMax) {
    // Without O_NONBLOCK a named pipe would hold the open until somebody writes to it.
    const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
    try {
      const state = stateOf(await file.stat());
      return { ...state, bytes: await readAll(file, state.sizeBytes, bytesMax) };
    } finally {
      await file.close();
    }
  },
};
