import {
  closeSync,
  constants,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  readSync,
  realpathSync,
  statfsSync,
  statSync,
} from 'node:fs';
import { NOTHING, optional } from '../core/errors.ts';
import { pathOf } from '../core/utf8.ts';

/** What a source asks of the system; paths hold one character per byte. Tests put hostile answers here. */
export interface Disk {
  open(path: string): number;
  /** Reads at a position, and answers how many bytes. */
  read(fd: number, into: Buffer, at: number, room: number, position: number): number;
  close(fd: number): void;
  /** Opens, reads to the end, closes. */
  readWhole(path: string): Buffer;
  /** The names in a folder, in any order. */
  list(path: string): string[];
  link(path: string): string;
  real(path: string): string;
  isThere(path: string): boolean;
  sizeBytes(path: string): number;
  /** What tells a thing from another that is made later at the same path; `undefined` where there is nothing. */
  identity(path: string): number | undefined;
  /** The magic number of the file system at a path (include/uapi/linux/magic.h); `undefined` where there is none. */
  magic(path: string): number | undefined;
}

/** Without O_NONBLOCK a named pipe would hold the open until somebody writes to it. */
const READ = constants.O_RDONLY | constants.O_NONBLOCK;

export const disk: Disk = {
  open: (path) => openSync(pathOf(path), READ),
  read: readSync,
  close: closeSync,
  readWhole: (path) => readFileSync(pathOf(path), { flag: READ as unknown as string }),
  list: (path) => readdirSync(pathOf(path), 'latin1'),
  link: (path) => readlinkSync(pathOf(path), 'latin1'),
  real: (path) => realpathSync.native(pathOf(path), 'latin1'),
  isThere: (path) => statSync(pathOf(path), { throwIfNoEntry: false }) !== undefined,
  identity: (path) => statSync(pathOf(path), { throwIfNoEntry: false })?.ino,
  sizeBytes: (path) => statSync(pathOf(path)).size,
  magic: (path) => optional(() => statfsSync(pathOf(path)).type, NOTHING),
};
