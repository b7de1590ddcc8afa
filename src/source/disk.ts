import {
  closeSync,
  constants,
  fstatSync,
  openSync,
  promises,
  readdirSync,
  readFileSync,
  readlinkSync,
  readSync,
  realpathSync,
  type Stats,
  statfsSync,
  statSync,
} from 'node:fs';
import { DeadlineError, LimitError, NOTHING, optional } from '../core/errors.ts';
import { pathOf } from '../core/utf8.ts';

/** What a source asks of the system; paths hold one character per byte. Tests put hostile answers here. */
export interface Disk {
  /** `isChecked`: throws for what is no regular file, such as a FIFO that nobody writes to. The kernel's trees have none. */
  open(path: string, isChecked?: boolean): number;
  /** Reads at a position, and answers how many bytes. */
  read(fd: number, into: Buffer, at: number, room: number, position: number): number;
  close(fd: number): void;
  /** Opens, reads to the end, closes. */
  readWhole(path: string, isChecked?: boolean): Buffer;
  /** The names in a folder, in any order. */
  list(path: string): string[];
  link(path: string): string;
  real(path: string): string;
  isThere(path: string): boolean;
  sizeBytes(path: string): number;
  /** What tells a thing from another that is made later at the same path; `undefined` where there is nothing. */
  identity(path: string): number | undefined;
  /** The same of what a descriptor reads. */
  identityOf(fd: number): number | undefined;
  /** The magic number of the file system at a path (include/uapi/linux/magic.h); `undefined` where there is none. */
  magic(path: string): number | undefined;
  /** The mounts that this process sees, as in `/proc/self/mountinfo`; one character per byte. */
  mounts(): string;
  readonly away: AwayDisk;
}

/** The same asked off the thread: any of these may take for ever. */
export interface AwayDisk {
  /** Stops between two reads once it is given up. Throws for what is no regular file. */
  readWhole(path: string, isGivenUp: () => boolean): Promise<Buffer>;
  list(path: string): Promise<string[]>;
  link(path: string): Promise<string>;
  real(path: string): Promise<string>;
  isThere(path: string): Promise<boolean>;
  sizeBytes(path: string): Promise<number>;
  identity(path: string): Promise<number | undefined>;
}

/** More is in no file of the kernel. */
export const FILE_BYTES_MAX = 64 << 20;
const CHUNK_BYTES = 64 << 10;
/** Opening a FIFO waits for a writer without it. */
const FLAGS = constants.O_RDONLY | constants.O_NONBLOCK;

/** A folder answers EISDIR by itself. */
const isEndless = (found: Stats): boolean => !found.isFile() && !found.isDirectory();

const irregular = (path: string): DeadlineError =>
  new DeadlineError(`${path}: not a regular file, so that reading it may take for ever`);
const tooLong = (path: string): LimitError => new LimitError(`${path}: longer than ${FILE_BYTES_MAX} bytes`);

function openChecked(path: string): number {
  const fd = openSync(pathOf(path), FLAGS);
  if (!isEndless(fstatSync(fd))) return fd;
  closeSync(fd);
  throw irregular(path);
}

function readChecked(path: string): Buffer {
  const fd = openChecked(path);
  try {
    return readFileSync(fd);
  } finally {
    closeSync(fd);
  }
}

async function readAway(path: string, isGivenUp: () => boolean): Promise<Buffer> {
  const file = await promises.open(pathOf(path), FLAGS);
  try {
    if (isEndless(await file.stat())) throw irregular(path);
    let bytes = Buffer.allocUnsafeSlow(CHUNK_BYTES);
    for (let length = 0; ; ) {
      const { bytesRead } = await file.read(bytes, length, bytes.length - length, length);
      length += bytesRead;
      // What is kept of it is no larger than it is.
      if (bytesRead === 0) return Buffer.from(bytes.subarray(0, length));
      if (isGivenUp()) throw new DeadlineError(`${path}: does not end`);
      if (length >= FILE_BYTES_MAX) throw tooLong(path);
      if (length === bytes.length) bytes = Buffer.concat([bytes], length * 2);
    }
  } finally {
    await file.close();
  }
}

/** `undefined` where there is nothing. */
async function statAway(path: string): Promise<{ readonly ino: number } | undefined> {
  try {
    return await promises.stat(pathOf(path));
  } catch (error) {
    return optional(() => {
      throw error;
    });
  }
}

const away: AwayDisk = {
  readWhole: readAway,
  list: (path) => promises.readdir(pathOf(path), 'latin1'),
  link: (path) => promises.readlink(pathOf(path), 'latin1'),
  real: (path) => promises.realpath(pathOf(path), 'latin1'),
  isThere: async (path) => (await statAway(path)) !== undefined,
  sizeBytes: async (path) => (await promises.stat(pathOf(path))).size,
  identity: async (path) => (await statAway(path))?.ino,
};

export const disk: Disk = {
  open: (path, isChecked = false) => (isChecked ? openChecked(path) : openSync(pathOf(path), FLAGS)),
  read: readSync,
  close: closeSync,
  readWhole: (path, isChecked = false) =>
    isChecked ? readChecked(path) : readFileSync(pathOf(path), { flag: FLAGS as unknown as string }),
  list: (path) => readdirSync(pathOf(path), 'latin1'),
  link: (path) => readlinkSync(pathOf(path), 'latin1'),
  real: (path) => realpathSync.native(pathOf(path), 'latin1'),
  isThere: (path) => statSync(pathOf(path), { throwIfNoEntry: false }) !== undefined,
  identity: (path) => statSync(pathOf(path), { throwIfNoEntry: false })?.ino,
  identityOf: (fd) => fstatSync(fd).ino,
  sizeBytes: (path) => statSync(pathOf(path)).size,
  magic: (path) => optional(() => statfsSync(pathOf(path)).type, NOTHING),
  mounts: () => readFileSync('/proc/self/mountinfo', 'latin1'),
  away,
};
