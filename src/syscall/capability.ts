import { readdirSync, readFileSync } from 'node:fs';
import { hasErrno, NOTHING, optional } from '../core/errors.ts';
import { struct, syscall } from './libc.ts';

/** In the order of their numbers: `include/uapi/linux/capability.h`, capabilities(7). */
export const CAPABILITIES = [
  'chown',
  'dac_override',
  'dac_read_search',
  'fowner',
  'fsetid',
  'kill',
  'setgid',
  'setuid',
  'setpcap',
  'linux_immutable',
  'net_bind_service',
  'net_broadcast',
  'net_admin',
  'net_raw',
  'ipc_lock',
  'ipc_owner',
  'sys_module',
  'sys_rawio',
  'sys_chroot',
  'sys_ptrace',
  'sys_pacct',
  'sys_admin',
  'sys_boot',
  'sys_nice',
  'sys_resource',
  'sys_time',
  'sys_tty_config',
  'mknod',
  'lease',
  'audit_write',
  'audit_control',
  'setfcap',
  'mac_override',
  'mac_admin',
  'syslog',
  'wake_alarm',
  'block_suspend',
  'audit_read',
  'perfmon',
  'bpf',
  'checkpoint_restore',
] as const;

export type Capability = (typeof CAPABILITIES)[number];

/** The bits of a capability set, as in `/proc/<pid>/status`. */
export const maskOf = (names: readonly Capability[]): bigint =>
  names.reduce((mask, name) => mask | (1n << BigInt(CAPABILITIES.indexOf(name))), 0n);

/** The names in a set; a number for what is newer than this list. */
export function namesOf(mask: bigint): string[] {
  const names: string[] = [];
  for (let bit = 0; bit < 64; bit += 1)
    if (((mask >> BigInt(bit)) & 1n) === 1n) names.push(CAPABILITIES[bit] ?? String(bit));
  return names;
}

/** Sixteen hexadecimal digits, as `/proc/<pid>/status` has them. */
export const hexOf = (mask: bigint): string => mask.toString(16).padStart(16, '0');

/** What one thread may do. https://docs.kernel.org/filesystems/proc.html */
export interface ThreadPrivileges {
  readonly inheritable: bigint;
  readonly permitted: bigint;
  readonly effective: bigint;
  readonly bounding: bigint;
  /** Empty before Linux 4.3. */
  readonly ambient: bigint;
  /** `undefined` before Linux 4.10, and where nobody says it. */
  readonly noNewPrivs: boolean | undefined;
  /** 0 off, 1 strict, 2 filter; `undefined` where the kernel has no seccomp, and where nobody says it. */
  readonly seccomp: number | undefined;
}

/** Parses `/proc/<pid>/status`. */
export function parsePrivileges(text: string): ThreadPrivileges {
  const row = (name: string): string | undefined => new RegExp(`^${name}:\\s*([0-9a-f]+)$`, 'm').exec(text)?.[1];
  const set = (name: string): bigint => BigInt(`0x${row(name) ?? '0'}`);
  const noNewPrivs = row('NoNewPrivs');
  const seccomp = row('Seccomp');
  return {
    inheritable: set('CapInh'),
    permitted: set('CapPrm'),
    effective: set('CapEff'),
    bounding: set('CapBnd'),
    ambient: set('CapAmb'),
    noNewPrivs: noNewPrivs === undefined ? undefined : noNewPrivs === '1',
    seccomp: seccomp === undefined ? undefined : Number(seccomp),
  };
}

/** A policy of the machine may close it, or something else may be mounted over it: then the kernel is asked by calls. */
function statusOf(path: string): string | undefined {
  const text = optional(() => readFileSync(path, 'latin1'), NOTHING);
  return text?.includes('CapPrm:') === true ? text : undefined;
}

/** The capabilities of which a call answers 1. */
function maskWhere(ask: (bit: number) => number): bigint {
  let mask = 0n;
  for (let bit = 0; bit < CAPABILITIES.length; bit += 1)
    if (optional(() => ask(bit), ['EINVAL']) === 1) mask |= 1n << BigInt(bit);
  return mask;
}

/** Of the thread that runs JavaScript. */
export function ownPrivileges(): ThreadPrivileges {
  const status = statusOf('/proc/thread-self/status');
  if (status !== undefined) return parsePrivileges(status);
  return {
    ...getCapabilities(),
    bounding: maskWhere((bit) => syscall('prctl', PR_CAPBSET_READ, bit, 0, 0, 0)),
    ambient: maskWhere((bit) => syscall('prctl', PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, bit, 0, 0)),
    noNewPrivs: syscall('prctl', PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) === 1,
    seccomp: undefined,
  };
}

/** What is known of a thread whose status is closed. What is ambient is permitted, too. */
function askedPrivileges(thread: number): ThreadPrivileges {
  return { ...getCapabilities(thread), bounding: 0n, ambient: 0n, noNewPrivs: undefined, seccomp: undefined };
}

/** Of every thread of this process. */
export function threadPrivileges(): ThreadPrivileges[] {
  return readdirSync('/proc/self/task').flatMap((thread) => {
    const status = statusOf(`/proc/self/task/${thread}/status`);
    if (status !== undefined) return [parsePrivileges(status)];
    // One that ends meanwhile holds nothing any more.
    return optional(() => [askedPrivileges(Number(thread))], ['ESRCH']) ?? [];
  });
}

export const holdsAny = ({ permitted, effective, inheritable, ambient }: ThreadPrivileges): boolean =>
  (permitted | effective | inheritable | ambient) !== 0n;

const VERSION_3 = 0x20080522;

/** struct __user_cap_header_struct */
export const capHeaderLayout = struct({ version: 'u32', pid: 'i32' });

/** Two of struct __user_cap_data_struct: the low words of the three sets, then the high ones. */
export const capDataLayout = struct({
  effectiveLow: 'u32',
  permittedLow: 'u32',
  inheritableLow: 'u32',
  effectiveHigh: 'u32',
  permittedHigh: 'u32',
  inheritableHigh: 'u32',
});

export interface CapabilitySets {
  readonly effective: bigint;
  readonly permitted: bigint;
  readonly inheritable: bigint;
}

const low = (mask: bigint): number => Number(mask & 0xffffffffn);
const high = (mask: bigint): number => Number(mask >> 32n);

/** capget, by default for this thread. */
export function getCapabilities(thread = 0): CapabilitySets {
  const data = capDataLayout.encode({});
  syscall('capget', capHeaderLayout.encode({ version: VERSION_3, pid: thread }), data);
  const sets = capDataLayout.decode(data);
  const join = (low32: number, high32: number): bigint => BigInt(low32) | (BigInt(high32) << 32n);
  return {
    effective: join(sets.effectiveLow, sets.effectiveHigh),
    permitted: join(sets.permittedLow, sets.permittedHigh),
    inheritable: join(sets.inheritableLow, sets.inheritableHigh),
  };
}

/** capset for this thread only: the runtime's other threads keep what they have. */
export function setCapabilities({ effective, permitted, inheritable }: CapabilitySets): void {
  const data = capDataLayout.encode({
    effectiveLow: low(effective),
    permittedLow: low(permitted),
    inheritableLow: low(inheritable),
    effectiveHigh: high(effective),
    permittedHigh: high(permitted),
    inheritableHigh: high(inheritable),
  });
  syscall('capset', capHeaderLayout.encode({ version: VERSION_3 }), data);
}

/** `include/uapi/linux/prctl.h` */
const PR_CAPBSET_READ = 23;
const PR_CAPBSET_DROP = 24;
const PR_SET_SECUREBITS = 28;
const PR_SET_NO_NEW_PRIVS = 38;
const PR_GET_NO_NEW_PRIVS = 39;
const PR_CAP_AMBIENT = 47;
const PR_CAP_AMBIENT_IS_SET = 1;
const PR_CAP_AMBIENT_RAISE = 2;
const PR_CAP_AMBIENT_CLEAR_ALL = 4;

/** For good, for this thread and what it executes. */
export function setNoNewPrivs(): void {
  syscall('prctl', PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
}

/** A kernel before 4.3 has no ambient set, and says EINVAL. */
export function clearAmbient(): void {
  optional(() => syscall('prctl', PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0), ['EINVAL']);
}

/** Needs the capability permitted and inheritable. */
export function raiseAmbient(mask: bigint): void {
  for (let bit = 0; bit < 64; bit += 1)
    if (((mask >> BigInt(bit)) & 1n) === 1n) syscall('prctl', PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, bit, 0, 0);
}

/** Takes everything but `keep` out of the bounding set. Needs CAP_SETPCAP effective. */
export function dropBounding(keep: bigint): void {
  for (let bit = 0; bit < 64; bit += 1) {
    if (((keep >> BigInt(bit)) & 1n) === 1n) continue;
    try {
      syscall('prctl', PR_CAPBSET_DROP, bit, 0, 0, 0);
    } catch (error) {
      // The first number beyond the kernel's last capability.
      if (hasErrno(error, ['EINVAL'])) return;
      throw error;
    }
  }
}

/** `include/uapi/linux/securebits.h`: NOROOT, NO_SETUID_FIXUP and NO_CAP_AMBIENT_RAISE, each with its lock; KEEP_CAPS locked off. */
const SECUREBITS_LOCKED = 0b1110_1111;

/** Makes user 0 a user like any other, for good. Needs CAP_SETPCAP effective. */
export function lockSecurebits(): void {
  syscall('prctl', PR_SET_SECUREBITS, SECUREBITS_LOCKED, 0, 0, 0);
}

export interface FileCapability {
  readonly permitted: bigint;
  readonly inheritable: bigint;
  /** `=ep`: the kernel refuses to execute the file where not all of it can be had. */
  readonly effective: boolean;
  /** The user namespace's root for whom it holds (version 3). */
  readonly rootId: number | undefined;
}

const REVISION_2 = 0x02000000;
const REVISION_3 = 0x03000000;

/** Parses the extended attribute `security.capability`: struct vfs_ns_cap_data, `include/uapi/linux/capability.h`. */
export function parseFileCapability(bytes: Uint8Array): FileCapability {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const magic = bytes.length >= 4 ? view.getUint32(0, true) : 0;
  const revision = (magic & 0xff000000) >>> 0;
  const known = (revision === REVISION_2 && bytes.length === 20) || (revision === REVISION_3 && bytes.length === 24);
  if (!known) throw new Error(`security.capability: ${Buffer.from(bytes).toString('hex')}: unknown revision`);
  const word = (offset: number): bigint => BigInt(view.getUint32(offset, true));
  return {
    permitted: word(4) | (word(12) << 32n),
    inheritable: word(8) | (word(16) << 32n),
    effective: (magic & 1) === 1,
    rootId: revision === REVISION_3 ? view.getUint32(20, true) : undefined,
  };
}

const ATTRIBUTE_BYTES_MAX = 64;

/** The capability of a file, by default of the running executable; `undefined` where it has none. */
export function fileCapability(path = '/proc/self/exe'): FileCapability | undefined {
  const value = new Uint8Array(ATTRIBUTE_BYTES_MAX);
  const length = optional(
    () => syscall('getxattr', Buffer.from(`${path}\0`), Buffer.from('security.capability\0'), value, value.length),
    ['ENODATA', 'ENOTSUP'],
  );
  return length === undefined ? undefined : parseFileCapability(value.subarray(0, length));
}

/** Whether capabilities here hold for the whole machine; `undefined` where the kernel does not say. user_namespaces(7) */
export function isInitialUserNamespace(): boolean | undefined {
  const map = optional(() => readFileSync('/proc/self/uid_map', 'latin1'));
  // A kernel without user namespaces has no such file.
  return map === undefined ? undefined : /^\s*0\s+0\s+4294967295\s*$/.test(map);
}
