import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import { basename } from 'node:path';
import { hasErrno, optional, ParseError } from '../core/errors.ts';
import { BTRFS_ERRORS, type BtrfsDevice, type BtrfsDevices } from '../core/system.ts';
import { syscall } from './libc.ts';
import { callOnPool } from './thread_pool.ts';

/**
 * What a Btrfs file system says of its devices, by ioctl on any file in it: `include/uapi/linux/btrfs.h`. The questions need no
 * privilege but that of opening the file.
 */

/** struct btrfs_ioctl_fs_info_args: highest device number (u64), number of devices (u64), the file system's UUID. */
const FS_INFO = { command: 0x8400941f, sizeBytes: 1024 } as const;
/** struct btrfs_ioctl_dev_info_args: number (u64), UUID, bytes used (u64), bytes in all (u64), …, path. */
const DEV_INFO = { command: 0xd000941e, sizeBytes: 4096, pathAt: 3072 } as const;
/** struct btrfs_ioctl_get_dev_stats: number (u64), how many values there are (u64), flags (u64), values. */
const GET_DEV_STATS = { command: 0xc4089434, sizeBytes: 1032, valuesAt: 24 } as const;
const UUID_BYTES = 16;

/** Asks the file system of an open file; the kernel writes its answer over `data`. */
export type BtrfsIoctl = (command: number, data: Uint8Array) => void;

const uint64At = (data: Buffer, offset: number): number => Number(data.readBigUInt64LE(offset));

const uuidAt = (data: Buffer, offset: number): string =>
  data.toString('hex', offset, offset + UUID_BYTES).replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-');

function textAt(data: Buffer, offset: number): string {
  const zero = data.indexOf(0, offset);
  return data.toString('utf8', offset, zero < 0 ? data.length : zero);
}

function askErrors(ask: BtrfsIoctl, number: number): number[] | undefined {
  const data = Buffer.alloc(GET_DEV_STATS.sizeBytes);
  data.writeBigUInt64LE(BigInt(number), 0);
  data.writeBigUInt64LE(BigInt(BTRFS_ERRORS.length), 8);
  if (optional(() => ask(GET_DEV_STATS.command, data) ?? true, REFUSED) === undefined) return undefined;
  return BTRFS_ERRORS.map((_, i) => uint64At(data, GET_DEV_STATS.valuesAt + 8 * i));
}

/** A device that is missing or not ready, or a process that may not ask. */
const REFUSED = ['ENODEV', 'EPERM', 'EACCES', 'ENOTTY'] as const;

/** The highest number that a device can have grows with each that is added; the numbers of those removed stay free. */
const NUMBERS_MAX = 1 << 16;

/** Asks for all devices of a file system. */
export function askDevices(ask: BtrfsIoctl): BtrfsDevices {
  const info = Buffer.alloc(FS_INFO.sizeBytes);
  ask(FS_INFO.command, info);
  const [highest, count] = [uint64At(info, 0), uint64At(info, 8)];
  if (highest > NUMBERS_MAX) throw new ParseError('btrfs', `a device of number ${highest} at byte 0`);
  const devices: BtrfsDevice[] = [];
  for (let number = 1; number <= highest && devices.length < count; number += 1) {
    const data = Buffer.alloc(DEV_INFO.sizeBytes);
    data.writeBigUInt64LE(BigInt(number), 0);
    if (optional(() => ask(DEV_INFO.command, data) ?? true, ['ENODEV']) === undefined) continue;
    devices.push({
      name: basename(textAt(data, DEV_INFO.pathAt)),
      uuid: uuidAt(data, 8),
      allocatedBytes: uint64At(data, 24),
      sizeBytes: uint64At(data, 32),
      errors: askErrors(ask, number),
    });
  }
  return { uuid: uuidAt(info, 16), devices };
}

/** A mount point that is closed to this process, gone, or no longer Btrfs; and a process that cannot call the kernel. */
const UNANSWERED = ['EACCES', 'EPERM', 'ENOENT', 'ENOTDIR', 'ENODEV', 'ENOTTY', 'ELOOP', 'NO_SYSCALLS'] as const;

/**
 * Asks the file system at a mount point. `undefined` where it cannot be asked. `path` holds one character per byte (latin1).
 * Opening goes through every folder above and so may take for ever; it is done off the event loop.
 */
export async function askMountPoint(path: string): Promise<BtrfsDevices | undefined> {
  try {
    // A file can be mounted too, and must neither be waited for nor become our terminal.
    const flags = constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOCTTY;
    await using file = await callOnPool(() => open(Buffer.from(path, 'latin1'), flags));
    return askDevices((command, data) => {
      syscall('ioctl', file.fd, command, data);
    });
  } catch (error) {
    if (hasErrno(error, UNANSWERED)) return undefined;
    throw error;
  }
}
