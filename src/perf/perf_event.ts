import { readSync } from 'node:fs';
import { struct, syscall } from '../syscall/libc.ts';
import { GROUP_EVENTS_MAX } from './planned.ts';

/**
 * struct perf_event_attr as of PERF_ATTR_SIZE_VER1 (`include/uapi/linux/perf_event.h`): what every kernel since 2.6.39
 * takes, and all that counting needs.
 */
export const perfEventAttrLayout = struct({
  type: 'u32',
  size: 'u32',
  config: 'u64',
  samplePeriod: 'u64',
  sampleType: 'u64',
  readFormat: 'u64',
  flags: 'u64',
  wakeupEvents: 'u32',
  bpType: 'u32',
  config1: 'u64',
  config2: 'u64',
});

export interface EventSpec {
  /** PERF_TYPE_* or the number in `<sysfs>/bus/event_source/devices/<pmu>/type`. */
  readonly type: number;
  readonly config: bigint;
  readonly config1?: bigint;
  readonly config2?: bigint;
  readonly excludeUser?: boolean;
  readonly excludeKernel?: boolean;
  readonly excludeHv?: boolean;
  readonly excludeHost?: boolean;
  readonly excludeGuest?: boolean;
}

const FLAG_DISABLED = 1n << 0n;
const FLAG_EXCLUDE_USER = 1n << 4n;
const FLAG_EXCLUDE_KERNEL = 1n << 5n;
const FLAG_EXCLUDE_HV = 1n << 6n;
const FLAG_EXCLUDE_HOST = 1n << 19n;
const FLAG_EXCLUDE_GUEST = 1n << 20n;

const FORMAT_TOTAL_TIME_ENABLED = 1n << 0n;
const FORMAT_TOTAL_TIME_RUNNING = 1n << 1n;
const FORMAT_ID = 1n << 2n;
const FORMAT_GROUP = 1n << 3n;

const IOC_ENABLE = 0x2400;
/** _IOR('$', 7, __u64 *) */
const IOC_ID = 0x80082407;
const IOC_FLAG_GROUP = 1;

export const NO_GROUP = -1;

/** `include/uapi/linux/perf_event.h` */
const FLAG_PID_CGROUP = 1 << 2;
const EVERYTHING = -1;

/** Used again for each: many thousand may be opened, and no call runs beside another. */
const attr = new Uint8Array(perfEventAttrLayout.sizeBytes);
const id = new BigUint64Array(1);

/**
 * Opens a counter of everything that runs on one CPU, or of what there is in the cgroup of this folder, and returns its
 * descriptor. It survives an exec. The leader of a group (`groupFd` is `NO_GROUP`) is opened stopped, until `enableGroup`.
 * https://man7.org/linux/man-pages/man2/perf_event_open.2.html
 */
export function openEvent(spec: EventSpec, cpu: number, groupFd: number, cgroupFd?: number): number {
  const flags =
    (groupFd === NO_GROUP ? FLAG_DISABLED : 0n) |
    (spec.excludeUser === true ? FLAG_EXCLUDE_USER : 0n) |
    (spec.excludeKernel === true ? FLAG_EXCLUDE_KERNEL : 0n) |
    (spec.excludeHv === true ? FLAG_EXCLUDE_HV : 0n) |
    (spec.excludeHost === true ? FLAG_EXCLUDE_HOST : 0n) |
    (spec.excludeGuest === true ? FLAG_EXCLUDE_GUEST : 0n);
  const fields = {
    type: spec.type,
    size: perfEventAttrLayout.sizeBytes,
    config: spec.config,
    config1: spec.config1 ?? 0n,
    config2: spec.config2 ?? 0n,
    readFormat: FORMAT_TOTAL_TIME_ENABLED | FORMAT_TOTAL_TIME_RUNNING | FORMAT_ID | FORMAT_GROUP,
    flags,
  };
  perfEventAttrLayout.encode(fields, attr);
  return syscall(
    'perf_event_open',
    attr,
    cgroupFd ?? EVERYTHING,
    cpu,
    groupFd,
    cgroupFd === undefined ? 0 : FLAG_PID_CGROUP,
  );
}

/** Starts a whole group, given its leader. */
export function enableGroup(fd: number): void {
  syscall('ioctl', fd, IOC_ENABLE, IOC_FLAG_GROUP);
}

/** The number that the kernel gave to the event; unique while the machine runs. Throws ENOTTY for what is no event. */
export function eventId(fd: number): bigint {
  syscall('ioctl', fd, IOC_ID, id);
  return id[0] as bigint;
}

export interface GroupReading {
  readonly enabledNs: bigint;
  readonly runningNs: bigint;
  /** The leader first, then the others in the order in which they were opened. */
  readonly members: readonly { readonly value: bigint; readonly id: bigint }[];
}

const HEAD_WORDS = 3;
const MEMBER_WORDS = 2;
const words = new BigUint64Array(HEAD_WORDS + MEMBER_WORDS * GROUP_EVENTS_MAX);
const bytes = new Uint8Array(words.buffer);

/** Reads a whole group, given its leader, at one moment. */
export function readGroup(fd: number): GroupReading {
  const length = readSync(fd, bytes, 0, bytes.length, null);
  const count = Number(words[0]);
  if (length < HEAD_WORDS * 8 || length !== (HEAD_WORDS + MEMBER_WORDS * count) * 8)
    throw new Error(`perf event ${fd}: read ${length} bytes, which is no group`);
  const members = Array.from({ length: count }, (_, i) => ({
    value: words[HEAD_WORDS + MEMBER_WORDS * i] as bigint,
    id: words[HEAD_WORDS + MEMBER_WORDS * i + 1] as bigint,
  }));
  return { enabledNs: words[1] as bigint, runningNs: words[2] as bigint, members };
}
