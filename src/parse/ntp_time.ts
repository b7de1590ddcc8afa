import type { NtpTime } from '../core/daemons.ts';

/** From 1900, where NTP counts from, to 1970. */
export const SECONDS_TO_1970 = 2_208_988_800n;
export const NS = 1_000_000_000n;

/** Seconds from `from` to `to`, which are less than 68 years apart. */
export const secondsBetween = (from: NtpTime, to: NtpTime): number => Number(BigInt.asIntN(64, to - from)) / 2 ** 32;

/** Unix time of one between 1968 and 2104, in seconds, by way of whole nanoseconds. RFC 4330, section 3. */
export function unixSeconds(time: NtpTime): number {
  const sinceEra0 = time < 1n << 63n ? time + (1n << 64n) : time;
  const ns = ((sinceEra0 * NS + (1n << 31n)) >> 32n) - SECONDS_TO_1970 * NS;
  return Number(ns) / 1e9;
}
