import { closeSync, constants, openSync, statfsSync } from 'node:fs';
import { errnoOf, hasErrno } from '../core/errors.ts';
import { SyscallError, struct, syscall } from '../syscall/libc.ts';
import { cgroupFolder } from './cgroup_tree.ts';

/** CGROUP_SUPER_MAGIC and CGROUP2_SUPER_MAGIC, `include/uapi/linux/magic.h` */
const CGROUP_FILESYSTEMS: readonly number[] = [0x27e0eb, 0x63677270];

/** struct open_how, `include/uapi/linux/openat2.h` */
const openHowLayout = struct({ flags: 'u64', mode: 'u64', resolve: 'u64' });
/** RESOLVE_NO_XDEV, RESOLVE_NO_MAGICLINKS, RESOLVE_NO_SYMLINKS, RESOLVE_BENEATH */
const RESOLVE_WITHIN = 0b1111n;
const O_CLOEXEC = 0o2000000;
const FOLDER = BigInt(constants.O_RDONLY | constants.O_DIRECTORY | O_CLOEXEC);

/**
 * What opening the folder of a cgroup answers that is gone, or that this user may not read. ENOENT and EACCES would be those of
 * the counter, and speak of every cgroup.
 */
const ESTALE = 116;
const ENOTDIR = 20;
const OF_FOLDER = new Map([
  ['ENOENT', ESTALE],
  ['EACCES', ENOTDIR],
  ['EPERM', ENOTDIR],
]);

/** Used again for each: many thousand may be opened. */
const usualName = Buffer.alloc(4096);

function cString(path: string): Buffer {
  const name = path.length < usualName.length ? usualName : Buffer.alloc(path.length + 1);
  name.write(`${path}\0`, 'latin1');
  return name;
}

/**
 * Before Linux 5.6, and where a filter hides the call, the path alone has to do: it is made of names, and a tree of cgroups
 * holds no links.
 */
function openWithin(root: string, rootFd: number, path: string, how: Uint8Array): number {
  try {
    return syscall('openat2', rootFd, cString(path), how, how.length);
  } catch (error) {
    if (!hasErrno(error, ['ENOSYS'])) throw error;
    return openSync(cgroupFolder(root, path), constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW);
  }
}

export interface CgroupFolders {
  /** Runs `use` with the open folder of a cgroup; `path` holds one character per byte. The kernel itself lets no path lead out of the tree. */
  within<T>(path: string, use: (fd: number) => T): T;
}

/** The tree of cgroups at `root`. Throws where something else is there. */
export function openCgroupFolders(root: string): CgroupFolders {
  const { type } = statfsSync(root);
  if (!CGROUP_FILESYSTEMS.includes(type)) throw new Error(`${root} is no tree of cgroups`);
  const rootFd = openSync(root, constants.O_RDONLY | constants.O_DIRECTORY);
  const how = openHowLayout.encode({ flags: FOLDER, resolve: RESOLVE_WITHIN });
  const open = (path: string): number => {
    try {
      return openWithin(root, rootFd, path, how);
    } catch (error) {
      const errno = OF_FOLDER.get(errnoOf(error) ?? '');
      throw errno === undefined ? error : new SyscallError('openat2', errno);
    }
  };
  return {
    within(path, use) {
      const fd = open(path);
      try {
        return use(fd);
      } finally {
        closeSync(fd);
      }
    },
  };
}
