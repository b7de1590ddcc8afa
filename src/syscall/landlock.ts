import { closeSync, openSync } from 'node:fs';
import { errnoOf, hasErrno } from '../core/errors.ts';
import { struct, syscall } from './libc.ts';

/**
 * Landlock: a process gives up for good, for itself and what it executes, what it will not need of the file system, of TCP ports
 * and of signals. It binds this thread and what comes of it: an exec makes it hold for all threads.
 * https://docs.kernel.org/userspace-api/landlock.html, `include/uapi/linux/landlock.h`
 */

export const ACCESS_FS = {
  execute: 1 << 0,
  writeFile: 1 << 1,
  readFile: 1 << 2,
  readDir: 1 << 3,
  removeDir: 1 << 4,
  removeFile: 1 << 5,
  makeChar: 1 << 6,
  makeDir: 1 << 7,
  makeReg: 1 << 8,
  makeSock: 1 << 9,
  makeFifo: 1 << 10,
  makeBlock: 1 << 11,
  makeSym: 1 << 12,
  refer: 1 << 13,
  truncate: 1 << 14,
  ioctlDev: 1 << 15,
} as const;
export const ACCESS_NET = { bindTcp: 1 << 0, connectTcp: 1 << 1 } as const;
export const SCOPE = { abstractUnixSocket: 1 << 0, signal: 1 << 1 } as const;

/** The rights that each version of the interface knows: what is handled is refused where no rule allows it. */
const FS_BITS_BY_VERSION = [0, 13, 14, 15, 15, 16] as const;
const NET_SINCE = 4;
const SCOPE_SINCE = 6;

const fsRights = (version: number): number => 2 ** (FS_BITS_BY_VERSION[version] ?? 16) - 1;

const rulesetLayout = struct({ fs: 'u64', net: 'u64', scoped: 'u64' });
const portLayout = struct({ allowed: 'u64', port: 'u64' });
/** struct landlock_path_beneath_attr is packed: twelve bytes. */
const PATH_BENEATH_BYTES = 12;

const CREATE_RULESET_VERSION = 1;
const RULE_PATH_BENEATH = 1;
const RULE_NET_PORT = 2;
const O_PATH = 0x200000;

/** The version of the interface, 0 where the kernel has none or it is switched off. */
export function landlockVersion(): number {
  try {
    return syscall('landlock_create_ruleset', 0, 0, CREATE_RULESET_VERSION);
  } catch (error) {
    // Not built in; built in, but not among the active security modules; refused by a filter of a container.
    if (hasErrno(error, ['ENOSYS', 'ENOTSUP', 'EPERM'])) return 0;
    throw error;
  }
}

export interface Allowances {
  /** Files, and folders with all below them, that may be read. What is not there is passed over. */
  readonly read: readonly string[];
  /** Folders that may be listed, with all below them. */
  readonly list: readonly string[];
  /** Files that may be executed, too. */
  readonly execute: readonly string[];
  /** TCP ports. */
  readonly bind: readonly number[];
  readonly connect: readonly number[];
}

const FILE_RIGHTS = ACCESS_FS.execute | ACCESS_FS.readFile;

function allowPath(ruleset: number, path: string, rights: number): void {
  const rule = new DataView(new ArrayBuffer(PATH_BENEATH_BYTES));
  let fd: number;
  try {
    fd = openSync(path, O_PATH);
  } catch (error) {
    if (errnoOf(error) === undefined) throw error;
    return;
  }
  try {
    const add = (allowed: number): void => {
      rule.setBigUint64(0, BigInt(allowed), true);
      rule.setInt32(8, fd, true);
      syscall('landlock_add_rule', ruleset, RULE_PATH_BENEATH, rule, 0);
    };
    try {
      add(rights);
    } catch (error) {
      // What can be done with folders only, for a file.
      if (!hasErrno(error, ['EINVAL'])) throw error;
      add(rights & FILE_RIGHTS);
    }
  } finally {
    closeSync(fd);
  }
}

/** Prepares the rules; `restrict` makes them hold. Answers the descriptor of the ruleset. */
export function createRuleset(version: number, { read, list, execute, bind, connect }: Allowances): number {
  const net = version >= NET_SINCE ? ACCESS_NET.bindTcp | ACCESS_NET.connectTcp : 0;
  const attributes = rulesetLayout.encode({
    fs: BigInt(fsRights(version)),
    net: BigInt(net),
    scoped: version >= SCOPE_SINCE ? BigInt(SCOPE.abstractUnixSocket | SCOPE.signal) : 0n,
  });
  // An older kernel knows a shorter structure, and takes a longer one where the rest is zero.
  const ruleset = syscall('landlock_create_ruleset', attributes, attributes.length, 0);
  for (const path of read) allowPath(ruleset, path, ACCESS_FS.readFile | ACCESS_FS.readDir);
  for (const path of list) allowPath(ruleset, path, ACCESS_FS.readDir);
  for (const path of execute) allowPath(ruleset, path, ACCESS_FS.readFile | ACCESS_FS.execute);
  if (net === 0) return ruleset;
  const allowPort = (port: number, allowed: number): void => {
    const rule = portLayout.encode({ allowed: BigInt(allowed), port: BigInt(port) });
    syscall('landlock_add_rule', ruleset, RULE_NET_PORT, rule, 0);
  };
  for (const port of bind) allowPort(port, ACCESS_NET.bindTcp);
  for (const port of connect) allowPort(port, ACCESS_NET.connectTcp);
  return ruleset;
}

/** Makes the rules hold for this thread and what it executes. Needs no_new_privs. */
export function restrict(ruleset: number): void {
  syscall('landlock_restrict_self', ruleset, 0);
  closeSync(ruleset);
}
