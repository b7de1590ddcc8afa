import { NoSyscallsError, struct, syscall } from './libc.ts';

/** struct timespec, `include/uapi/linux/time_types.h` */
const timespec = struct({ seconds: 'i64', nanoseconds: 'i64' });

/** `include/uapi/linux/time.h` */
const CLOCK_REALTIME = 0;

/** The time that `fill` has the kernel write as a struct timespec, in nanoseconds since 1970. */
export function timeFrom(fill: (bytes: Uint8Array) => void): bigint {
  const bytes = timespec.encode({});
  fill(bytes);
  const { seconds, nanoseconds } = timespec.decode(bytes);
  return seconds * 1_000_000_000n + nanoseconds;
}

/**
 * What the machine's clock shows, in nanoseconds since 1970; `Date` has it in whole milliseconds, which is all there is where the
 * kernel cannot be called. https://man7.org/linux/man-pages/man2/clock_gettime.2.html
 */
export function realtimeNs(): bigint {
  try {
    return timeFrom((bytes) => syscall('clock_gettime', CLOCK_REALTIME, bytes));
  } catch (error) {
    if (error instanceof NoSyscallsError) return BigInt(Date.now()) * 1_000_000n;
    throw error;
  }
}
