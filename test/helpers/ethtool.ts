import type { EthtoolIoctl } from '../../src/syscall/ethtool.ts';
import { SyscallError } from '../../src/syscall/libc.ts';

/** A device as its driver describes it. What is missing the driver does not support. */
export interface DriverFacts {
  /** Driver, version, firmware, bus, ROM. */
  readonly texts?: readonly string[];
  readonly autonegotiation?: number;
  /** Words of 32 bits. */
  readonly supported?: readonly number[];
  readonly advertised?: readonly number[];
  readonly statistics?: readonly (readonly [name: string, value: bigint])[];
  /** Answers everything with this errno. */
  readonly errno?: number;
}

const EOPNOTSUPP = 95;
const ENODEV = 19;

function answerSettings({ autonegotiation, supported, advertised = [] }: DriverFacts, data: Buffer): void {
  if (supported === undefined) throw new SyscallError('ioctl', EOPNOTSUPP);
  if (data.readInt8(15) !== supported.length) {
    data.writeInt8(-supported.length, 15);
    return;
  }
  data.writeUInt8(autonegotiation ?? 0, 11);
  for (const [i, word] of [...supported, ...advertised].entries()) data.writeUInt32LE(word, 48 + 4 * i);
}

/** The kernel's half of `include/uapi/linux/ethtool.h`. */
export const driversOf =
  (devices: Readonly<Record<string, DriverFacts>>): EthtoolIoctl =>
  (device, bytes) => {
    const data = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const facts = devices[device];
    if (facts === undefined) throw new SyscallError('ioctl', ENODEV);
    if (facts.errno !== undefined) throw new SyscallError('ioctl', facts.errno);
    const { texts, statistics = [] } = facts;
    const command = data.readUInt32LE(0);
    if (command === 0x4c) answerSettings(facts, data);
    else if (command === 0x03) {
      if (texts === undefined) throw new SyscallError('ioctl', EOPNOTSUPP);
      for (const [i, text] of texts.entries()) data.write(text, 4 + 32 * i);
      data.writeUInt32LE(statistics.length, 180);
    } else if (command === 0x1b) {
      data.writeUInt32LE(statistics.length, 8);
      for (const [i, [name]] of statistics.entries()) data.fill(0, 12 + 32 * i, 44 + 32 * i).write(name, 12 + 32 * i);
    } else {
      data.writeUInt32LE(statistics.length, 4);
      for (const [i, [, value]] of statistics.entries()) data.writeBigUInt64LE(value, 8 + 8 * i);
    }
  };
