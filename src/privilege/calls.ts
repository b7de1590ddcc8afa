import process from 'node:process';
import type { SocketNeed } from '../core/collector.ts';
import type { SyscallName } from '../syscall/numbers.ts';
import type { Condition, Policy, Rule, Verdict } from '../syscall/seccomp.ts';

/** The system calls that an exporter never makes, and those that it makes in one way only. */

// biome-ignore format: a list by kind
const REFUSED_ALWAYS: readonly SyscallName[] = [
  // Other processes.
  'fork', 'vfork', 'ptrace', 'process_vm_readv', 'process_vm_writev', 'process_madvise', 'kcmp',
  'pidfd_open', 'pidfd_getfd', 'pidfd_send_signal', 'rt_sigqueueinfo', 'rt_tgsigqueueinfo', 'tkill', 'setpgid', 'setsid',
  'setpriority', 'sched_setscheduler', 'sched_setattr', 'sched_setparam', 'sched_setaffinity', 'ioprio_set',
  'migrate_pages', 'move_pages',
  // Much of the kernel behind one call.
  'bpf', 'userfaultfd', 'io_uring_setup', 'io_uring_register', 'add_key', 'request_key', 'keyctl',
  'perf_event_open', 'personality', 'modify_ldt', 'iopl', 'ioperm', 'fanotify_init', 'fanotify_mark', 'memfd_secret',
  'lookup_dcookie', 'lsm_set_self_attr',
  // Namespaces and mounts.
  'unshare', 'setns', 'mount', 'umount2', 'open_tree', 'open_tree_attr', 'move_mount', 'fsopen', 'fsconfig', 'fsmount',
  'fspick', 'mount_setattr', 'pivot_root', 'chroot', 'name_to_handle_at', 'open_by_handle_at',
  // The machine.
  'swapon', 'swapoff', 'quotactl', 'quotactl_fd', 'acct', 'reboot', 'kexec_load', 'kexec_file_load', 'init_module',
  'finit_module', 'delete_module', 'create_module', 'syslog', 'settimeofday', 'clock_settime', 'clock_adjtime',
  'sethostname', 'setdomainname', 'vhangup',
  // Changes of files.
  'creat', 'mkdir', 'mkdirat', 'mknod', 'mknodat', 'rmdir', 'unlink', 'unlinkat', 'rename', 'renameat', 'renameat2',
  'link', 'linkat', 'symlink', 'symlinkat', 'chmod', 'fchmod', 'fchmodat', 'fchmodat2', 'chown', 'fchown', 'lchown',
  'fchownat', 'truncate', 'setxattr', 'lsetxattr', 'fsetxattr', 'setxattrat', 'removexattr', 'lremovexattr',
  'fremovexattr', 'removexattrat', 'file_setattr', 'utime', 'utimes', 'futimesat', 'utimensat',
  // Another user.
  'setuid', 'setgid', 'setreuid', 'setregid', 'setresuid', 'setresgid', 'setgroups', 'setfsuid', 'setfsgid',
  // Memory, messages and semaphores of System V and POSIX.
  'shmget', 'shmat', 'shmctl', 'msgget', 'msgsnd', 'msgrcv', 'msgctl', 'semget', 'semop', 'semctl', 'semtimedop',
  'mq_open', 'mq_unlink',
];

const O_ACCMODE = 0o3;
const O_CREAT = 0o100;
const O_TRUNC = 0o1000;
/** Without O_DIRECTORY, which is part of O_TMPFILE. */
const O_TMPFILE = 0o20000000;
const WRITES = O_ACCMODE | O_CREAT | O_TRUNC | O_TMPFILE;

const CLONE_THREAD = 0x00010000;
/** CLONE_NEWNS, CLONE_NEWCGROUP, CLONE_NEWUTS, CLONE_NEWIPC, CLONE_NEWUSER, CLONE_NEWPID, CLONE_NEWNET */
const CLONE_NAMESPACES = 0x7e020000;

/** Requests that type into a terminal, or change what it does: `include/uapi/asm-generic/ioctls.h` */
const TERMINAL_REQUESTS = [0x5412, 0x541c, 0x5423] as const;
const PR_SET_DUMPABLE = 4;
const PR_SET_MM = 35;
const PR_SET_PTRACER = 0x59616d61;

const onlyIf = (...conditions: readonly Condition[]): Rule => ({ allowedIf: [conditions] });
const readOnly = (argument: number): Rule => onlyIf({ argument, mask: WRITES, is: [0] });

const refuseAll = (names: readonly SyscallName[]): Policy =>
  Object.fromEntries(names.map((name): [SyscallName, Verdict] => [name, 'refused']));

export interface CallOptions {
  /** Whether counters may be opened again. */
  readonly reopens: boolean;
}

/**
 * From before the exec on, so that it holds for the process that serves from its first call. What needs an exec is left, and
 * reading, threads and sockets. Without io_uring, which is a way around every filter, libuv calls epoll.
 */
export function servingPolicy({ reopens }: CallOptions): Policy {
  const own = [process.pid] as const;
  return {
    ...refuseAll(REFUSED_ALWAYS.filter((name) => !(reopens && name === 'perf_event_open'))),
    // Their arguments are in memory, where no filter sees them; libc and libuv turn to the older call.
    clone3: 'unknown',
    openat2: 'unknown',
    clone: onlyIf({ argument: 0, mask: CLONE_THREAD | CLONE_NAMESPACES, is: [CLONE_THREAD] }),
    open: readOnly(1),
    openat: readOnly(2),
    ioctl: { refusedIf: { argument: 1, is: TERMINAL_REQUESTS } },
    kill: onlyIf({ argument: 0, is: own }),
    tgkill: onlyIf({ argument: 0, is: own }),
    prlimit64: onlyIf({ argument: 0, is: [0, ...own] }),
  };
}

/** The process that opens counters: from before its exec on. Folders of cgroups are opened by `openat2`. */
export function openerPolicy(): Policy {
  const { openat2: _, ...policy } = servingPolicy({ reopens: true });
  return policy;
}

const MAP_ANONYMOUS = 0x20;
const PERF_FLAG_PID_CGROUP = 4;
/** In the place of a task: everything that runs on a CPU. */
const EVERYTHING = -1;

/**
 * From when it serves: no other program, no socket but the one it has, and no file. Counters are of a CPU or of a cgroup, never
 * of a task, and without memory that is shared with the kernel there are no samples.
 */
export const openingPolicy: Policy = {
  perf_event_open: {
    allowedIf: [
      [
        { argument: 1, is: [EVERYTHING] },
        { argument: 4, is: [0] },
      ],
      [{ argument: 4, is: [PERF_FLAG_PID_CGROUP] }],
    ],
  },
  mmap: onlyIf({ argument: 3, mask: MAP_ANONYMOUS, is: [MAP_ANONYMOUS] }),
  execve: 'refused',
  execveat: 'refused',
  socket: 'refused',
  socketpair: 'refused',
  connect: 'refused',
  bind: 'refused',
  listen: 'refused',
  accept: 'refused',
  accept4: 'refused',
  open: 'refused',
  openat: 'refused',
  ptrace: 'refused',
};

const AF_UNIX = 1;
const AF_INET = 2;
const AF_INET6 = 10;
const AF_NETLINK = 16;
const SOCK_STREAM = 1;
const SOCK_DGRAM = 2;
/** Without SOCK_CLOEXEC and SOCK_NONBLOCK. */
const SOCK_TYPE = 0xf;
/** `struct sockaddr_nl`, shorter than every internet address. */
const NETLINK_ADDRESS_BYTES = 12;

const family = (...is: readonly number[]): Condition => ({ argument: 0, is });
const type = (...is: readonly number[]): Condition => ({ argument: 1, mask: SOCK_TYPE, is });

function socketsOf(need: SocketNeed): readonly Condition[] {
  switch (need.family) {
    case 'netlink':
      return [family(AF_NETLINK), { argument: 2, is: [need.protocol] }];
    case 'unix':
      return [family(AF_UNIX)];
    case 'tcp':
      // No other protocol, such as MPTCP: Landlock sees TCP only.
      return [family(AF_INET, AF_INET6), type(SOCK_STREAM), { argument: 2, is: [0, 6] }];
    case 'udp':
      return [family(AF_INET, AF_INET6), type(SOCK_DGRAM), { argument: 2, is: [0, 17] }];
  }
}

/**
 * From when everything is set up and listens: no other program, no other socket than the collectors have named, and none that
 * waits for others.
 */
export function listeningPolicy(needs: readonly SocketNeed[]): Policy {
  const families = new Set(needs.map((need) => need.family));
  const connects = families.has('tcp') || families.has('udp') || families.has('unix');
  return {
    execve: 'refused',
    execveat: 'refused',
    prctl: { refusedIf: { argument: 0, is: [PR_SET_DUMPABLE, PR_SET_MM, PR_SET_PTRACER] } },
    socket: { allowedIf: needs.map(socketsOf) },
    listen: 'refused',
    ...(connects ? {} : { connect: 'refused' }),
    // Asking by UDP begins with an address of its own.
    ...(families.has('udp') ? {} : { bind: onlyIf({ argument: 2, is: [NETLINK_ADDRESS_BYTES] }) }),
  };
}
