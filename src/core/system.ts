/** What system calls say of the machine: the part of `Host` that is no file. */
export interface System {
  /** `undefined` where it is closed to us. */
  readonly pageSizeBytes: number | undefined;
  /** The zone that `TZ` names, if it does. */
  readonly timeZone: string | undefined;
  uname(): SystemNames;
  /** Addresses as the C library gives them, by device: only of devices that are up. */
  interfaceAddresses(): readonly InterfaceAddress[];
  /** Reads the state of the kernel's clock. Throws what the kernel answers. The answer holds until the next call. */
  adjtimex(): Timex;
  /** Milliseconds since 1970, with their fraction. */
  now(): number;
  /** The size of a file system, asked on the thread that answers: only where nothing can hang. The path holds one character per byte. */
  statfs(path: string): StatfsAnswer;
  /** The same off the thread, for what may hang. */
  createStatfsAsker(options: StatfsAskerOptions): StatfsAsker;
  /** What network drivers say of their devices. */
  readonly ethtool: Ethtool;
  /**
   * What the Btrfs file system at a mount point says of its devices, off the thread; `undefined` where it cannot be asked. The
   * path holds one character per byte.
   */
  btrfsDevices(mountPoint: string): Promise<BtrfsDevices | undefined>;
}

/** https://man7.org/linux/man-pages/man2/uname.2.html, without the domain name. */
export interface SystemNames {
  readonly sysname: string;
  readonly release: string;
  readonly version: string;
  readonly machine: string;
  readonly nodename: string;
}

export interface InterfaceAddress {
  readonly device: string;
  readonly address: string;
  readonly prefixLength: string;
}

/** Numbers of struct timex, in the kernel's units. https://man7.org/linux/man-pages/man2/adjtimex.2.html */
export interface Timex {
  /** What adjtimex returned: TIME_OK 0, TIME_INS 1, TIME_DEL 2, TIME_OOP 3, TIME_WAIT 4, TIME_ERROR 5. */
  readonly state: number;
  /** Nanoseconds where `status` has STA_NANO, else microseconds; so is `jitter`. */
  readonly offset: number;
  readonly freq: number;
  readonly maxerror: number;
  readonly esterror: number;
  readonly status: number;
  readonly constant: number;
  readonly tick: number;
  readonly ppsfreq: number;
  readonly jitter: number;
  readonly shift: number;
  readonly stabil: number;
  readonly jitcnt: number;
  readonly calcnt: number;
  readonly errcnt: number;
  readonly stbcnt: number;
  readonly tai: number;
}

/** What `statfs(2)` says of a file system; 64 bit numbers as the nearest doubles. https://man7.org/linux/man-pages/man2/statfs.2.html */
export interface FileSystemSize {
  /** `f_bsize`: the bytes of a block, which is what the blocks below are counted in. */
  readonly blockBytes: number;
  readonly blocks: number;
  readonly blocksFree: number;
  /** Free for processes without privileges. */
  readonly blocksAvailable: number;
  readonly files: number;
  readonly filesFree: number;
  /** `st_dev` of stat(2) at the same path: which file system answered. */
  readonly deviceNumber?: number;
  /** What kind of file system that is (include/uapi/linux/magic.h). */
  readonly magic?: number;
}

/** A file system's size, or what the system call (or the one who would have made it) says instead. */
export type StatfsAnswer = FileSystemSize | { readonly refusal: string };

export interface StatfsAsker {
  /**
   * Asks these mounts, the same path once, and answers by path within `leftMs`. What does not answer in time is remembered:
   * until its call returns all mounts of the file system are refused at once. Not to be called again before it has answered.
   */
  ask(mounts: readonly AskedMount[], leftMs: number): Promise<ReadonlyMap<string, StatfsAnswer>>;
}

export interface AskedMount {
  /** One character per byte. */
  readonly path: string;
  /** What hangs as one. */
  readonly device: string;
  /** Whether no other machine and no process stands behind it or on the way to it. */
  readonly isLocal: boolean;
}

export interface StatfsAskerOptions {
  /** How many calls are made at a time; slow ones are not counted, so that they hold nobody up. */
  readonly workers: number;
  /** How long one call may take. */
  readonly timeoutMs: number;
}

export interface DriverInfo {
  readonly driver: string;
  readonly version: string;
  readonly firmwareVersion: string;
  readonly busInfo: string;
  readonly romVersion: string;
  /** How many statistics the driver has. */
  readonly statistics: number;
}

export interface LinkSettings {
  /** As the driver says it: 0 or 1. */
  readonly autonegotiation: number;
  /** ETHTOOL_LINK_MODE_* bits, eight to a byte, the lowest first. */
  readonly supported: Uint8Array;
  readonly advertised: Uint8Array;
}

export interface DriverStatistics {
  /** The same array as long as the driver has the same names. */
  readonly names: readonly string[];
  /** In the order of the names. */
  readonly values: readonly number[];
}

/**
 * What the kernel refuses is thrown as a `SyscallError`: ENOTSUP where a driver has no such thing. The names of devices hold one
 * character per byte.
 */
export interface Ethtool {
  driver(device: string): DriverInfo;
  link(device: string): LinkSettings;
  /** `undefined` where the driver has none, or just now others. */
  statistics(device: string, count: number): DriverStatistics | undefined;
}

/** BTRFS_DEV_STAT_*, in the kernel's order. */
export const BTRFS_ERRORS = ['write', 'read', 'flush', 'corruption', 'generation'] as const;

export interface BtrfsDevice {
  /** The name of its file, without folders. The empty text where the device is missing. */
  readonly name: string;
  /** As sysfs writes it: 32 hexadecimal digits, and dashes. */
  readonly uuid: string;
  readonly sizeBytes: number;
  readonly allocatedBytes: number;
  /** In the order of `BTRFS_ERRORS`. Missing where the kernel does not say, as of a device that is not there. */
  readonly errors: readonly number[] | undefined;
}

export interface BtrfsDevices {
  /** As sysfs writes it: 32 hexadecimal digits, and dashes. */
  readonly uuid: string;
  readonly devices: readonly BtrfsDevice[];
}
