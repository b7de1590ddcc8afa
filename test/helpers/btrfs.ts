import type { BtrfsIoctl } from '../../src/syscall/btrfs.ts';
import { SyscallError } from '../../src/syscall/libc.ts';

interface DeviceFacts {
  readonly path: string;
  readonly used: bigint;
  readonly size: bigint;
  readonly errors?: readonly bigint[];
}

const ENODEV = 19;

export const UUIDS = {
  filesystem: 'f1f1f1f1-f1f1-f1f1-f1f1-f1f1f1f1f1f1',
  device: (number: number): string => 'd0d0d0d0-d0d0-d0d0-d0d0-d0d0d0d0d0d0'.replaceAll('d0', `d${number}`),
} as const;

/** The kernel's half of `include/uapi/linux/btrfs.h`, for a file system of these devices by their numbers. */
export const btrfsOf =
  (devices: Readonly<Record<number, DeviceFacts>>): BtrfsIoctl =>
  (command, bytes) => {
    const data = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    if (command === 0x8400941f) {
      const numbers = Object.keys(devices).map(Number);
      data.writeBigUInt64LE(BigInt(Math.max(...numbers)), 0);
      data.writeBigUInt64LE(BigInt(numbers.length), 8);
      data.fill(0xf1, 16, 32);
      return;
    }
    const number = Number(data.readBigUInt64LE(0));
    const { path, used, size, errors } = devices[number] ?? {};
    if (path === undefined || used === undefined || size === undefined) throw new SyscallError('ioctl', ENODEV);
    if (command === 0xd000941e) {
      data.fill(0xd0 + number, 8, 24);
      data.writeBigUInt64LE(used, 24);
      data.writeBigUInt64LE(size, 32);
      data.write(path, 3072);
      return;
    }
    if (errors === undefined) throw new SyscallError('ioctl', ENODEV);
    for (const [i, value] of errors.entries()) data.writeBigUInt64LE(value, 24 + 8 * i);
  };
