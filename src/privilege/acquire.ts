import { closeSync, openSync, statfsSync } from 'node:fs';
import type { AnyCollector } from '../core/assemble.ts';
import type { Acquired, Host } from '../core/collector.ts';
import { hasErrno, messageOf, UsageError } from '../core/errors.ts';
import { NotYet } from '../core/not_yet.ts';
import { getCapabilities, maskOf, setCapabilities } from '../syscall/capability.ts';

/** A collector and what it is given. */
export interface Candidate {
  readonly collector: AnyCollector;
  readonly host: Host;
}

/** The capabilities that these collectors can make use of. */
export const wantedBy = (candidates: readonly Candidate[]): bigint =>
  candidates.reduce((mask, { collector }) => mask | maskOf(collector.privileges ?? []), 0n);

/** Runs `work` with just these of the permitted capabilities effective. Where none is permitted the kernel is not called. */
export function withEffective<T>(wanted: bigint, permitted: bigint, work: () => T): T {
  if (permitted === 0n) return work();
  const before = getCapabilities();
  setCapabilities({ ...before, effective: wanted & permitted });
  try {
    return work();
  } finally {
    setCapabilities(before);
  }
}

/** Where there is nobody's data, only the kernel's: sysfs, tracefs and debugfs, by `include/uapi/linux/magic.h`. */
const KERNEL_FILESYSTEMS: readonly number[] = [0x62656572, 0x74726163, 0x64626720];

/**
 * A path comes from the user, the capability that opened it perhaps from the executable. What is no file of the kernel's
 * must be open to this user anyhow, or it is closed again.
 */
function confine({ held, facts }: Acquired, host: Host): Acquired {
  const allowed = held.filter(({ kind, fd, path }) => {
    const self = `/proc/self/fd/${fd}`;
    if (kind !== 'file' || KERNEL_FILESYSTEMS.includes(statfsSync(self).type)) return true;
    try {
      closeSync(openSync(self, 'r'));
      return true;
    } catch (error) {
      if (!hasErrno(error, ['EACCES', 'EPERM'])) throw error;
      host.log.warn('closed again: it is no kernel file, and this user may not read it', { path });
      closeSync(fd);
      return false;
    }
  });
  return { held: allowed, facts };
}

/** Runs the collector's `acquire` with the capabilities it asks for, as far as they are permitted. */
export function acquireOne({ collector, host }: Candidate, permitted: bigint): Acquired | undefined {
  if (collector.acquire === undefined) return undefined;
  try {
    const acquired = withEffective(maskOf(collector.privileges ?? []), permitted, () => collector.acquire?.(host));
    if (acquired === undefined || permitted === 0n) return acquired;
    return withEffective(0n, permitted, () => confine(acquired, host));
  } catch (error) {
    if (error instanceof UsageError || error instanceof NotYet) throw error;
    host.log.error('opened nothing with privilege', { err: messageOf(error) });
    return undefined;
  }
}

/** By collector. */
export function acquireAll(candidates: readonly Candidate[], permitted: bigint): Map<string, Acquired> {
  const all = new Map<string, Acquired>();
  for (const candidate of candidates) {
    const acquired = acquireOne(candidate, permitted);
    if (acquired !== undefined) all.set(candidate.collector.name, acquired);
  }
  return all;
}
