import { optional } from '../core/errors.ts';
import type { Tree } from '../core/host.ts';
import { int, uint } from '../core/text.ts';

/**
 * Why the kernel refuses counters, and what to do about it. https://docs.kernel.org/admin-guide/perf-security.html
 * The reasons are the values of the label `reason`; docs/perf.md lists them.
 */
export type Reason =
  | 'no_capability'
  | 'kernel_patch'
  | 'old_kernel'
  | 'user_namespace'
  | 'security_module'
  | 'seccomp'
  | 'no_pmu'
  | 'no_event'
  | 'no_cgroup'
  | 'no_room'
  | 'no_tracefs'
  | 'files_limit'
  | 'cpu_offline'
  | 'busy'
  | 'not_in_kernel'
  | 'no_syscalls'
  | 'no_opener'
  | 'other';

export interface Verdict {
  readonly reason: Reason;
  readonly why: string;
  /** What to change; empty where nothing can be done on this machine. */
  readonly remedy: string;
}

/** The bits of the capabilities that open counters. `include/uapi/linux/capability.h` */
export const CAP_SYS_ADMIN = 21;
export const CAP_PERFMON = 38;

/** What a thread may do, as `/proc/<pid>/status` tells it. */
export interface Privileges {
  readonly effective: bigint;
  readonly bounding: bigint;
  readonly noNewPrivs: boolean | undefined;
  /** 0: none, 1: strict, 2: a filter. */
  readonly seccomp: number | undefined;
}

export interface Access extends Privileges {
  /** Whether user ids are mapped: capabilities then count inside the namespace only, and counters need them outside. */
  readonly userNamespace: boolean;
  /** `kernel.perf_event_paranoid`; `undefined` where the kernel is without perf events. */
  readonly paranoid: number | undefined;
  /** As in `uname -r`. */
  readonly release: string;
  /** Whether it is a kernel of Debian or Ubuntu, which ask for more than CAP_PERFMON at level 3 and above. */
  readonly isPatched: boolean;
  /** Whether the machine shows a PMU of its cores. */
  readonly hasCorePmu: boolean;
  /** The soft limit of open files. */
  readonly filesMax: number;
}

export const has = (set: bigint, capability: number): boolean => ((set >> BigInt(capability)) & 1n) === 1n;

/** The soft limit of open files in `/proc/<pid>/limits`. */
export function parseFilesMax(limits: string): number {
  const [, soft] = /^Max open files\s+(\S+)/m.exec(limits) ?? [];
  const number = uint(soft);
  return number ?? Number.POSITIVE_INFINITY;
}

export interface AccessParts {
  /** The own `/proc`, whatever `--path.procfs` says. */
  readonly proc: Tree;
  readonly privileges: Privileges;
  readonly userNamespace: boolean;
  readonly hasCorePmu: boolean;
}

/** The facts of this process and this kernel. */
export function readAccess({ proc, privileges, userNamespace, hasCorePmu }: AccessParts): Access {
  const text = (path: string): string => optional(() => proc.readOnce(path), ['ENOENT', 'EACCES', 'EPERM']) ?? '';
  const { effective, bounding, noNewPrivs, seccomp } = privileges;
  return {
    effective,
    bounding,
    noNewPrivs,
    seccomp,
    userNamespace,
    paranoid: int(text('sys/kernel/perf_event_paranoid').trim()),
    release: text('sys/kernel/osrelease').trim(),
    isPatched: /debian|ubuntu/i.test(text('version')),
    hasCorePmu,
    filesMax: parseFilesMax(text('self/limits')),
  };
}

/** Whether the kernel knows CAP_PERFMON: since 5.8. */
export function knowsPerfmon(release: string): boolean {
  const [, major = '0', minor = '0'] = /^([0-9]+)\.([0-9]+)/.exec(release) ?? [];
  return Number(major) > 5 || (Number(major) === 5 && Number(minor) >= 8);
}

/** The level from which Debian's and Ubuntu's patch wants CAP_SYS_ADMIN. The mainline kernel has no level above 2. */
export const PATCH_LEVEL = 3;

export const SYSCTL_PATCH = 'sysctl kernel.perf_event_paranoid=2';
const LEVEL_ALL = 'sysctl kernel.perf_event_paranoid=0';
const GIVE =
  "give it CAP_PERFMON: 'setcap cap_perfmon=p' on the executable and 'add: [PERFMON]' in the container's capabilities, or AmbientCapabilities=CAP_PERFMON in the systemd unit";

/** EACCES: the level and the capabilities, or a security module. */
function explainDenied(access: Access): Verdict {
  const { effective, bounding, paranoid, release, isPatched, userNamespace, noNewPrivs } = access;
  const level = `kernel.perf_event_paranoid is ${paranoid ?? 'absent'}`;
  const perfmon = has(effective, CAP_PERFMON);
  const admin = has(effective, CAP_SYS_ADMIN);
  if (userNamespace && (perfmon || admin))
    return {
      reason: 'user_namespace',
      why: `${level}, and capabilities of a user namespace do not open counters`,
      remedy: `run it outside of a user namespace (hostUsers: true), or ${LEVEL_ALL}`,
    };
  if (perfmon && !admin && paranoid !== undefined && paranoid >= PATCH_LEVEL)
    return {
      reason: 'kernel_patch',
      why: `${level}, and a patch of this kernel (${release}, as Debian and Ubuntu build it) then asks for CAP_SYS_ADMIN where CAP_PERFMON should do`,
      remedy: SYSCTL_PATCH,
    };
  if (perfmon || admin)
    return {
      reason: 'security_module',
      why: `the process has the capability, yet is denied: a security module (SELinux, AppArmor, BPF) forbids it`,
      remedy:
        "look into the audit log for 'perf_event'; with SELinux allow the domain perf_event { open cpu kernel read }",
    };
  if (!knowsPerfmon(release))
    return {
      reason: 'old_kernel',
      why: `${level}, and the kernel ${release} is older than 5.8 and knows no CAP_PERFMON`,
      remedy: `${LEVEL_ALL}, or run it with CAP_SYS_ADMIN`,
    };
  const bounded = has(bounding, CAP_PERFMON) ? '' : ', nor may it get it (not in the bounding set)';
  const barred =
    noNewPrivs === true && bounded === ''
      ? ' (under no_new_privs only the first executable of the container gets it)'
      : '';
  const patch =
    isPatched && paranoid !== undefined && paranoid >= PATCH_LEVEL
      ? `; and ${SYSCTL_PATCH}, since this kernel's patch asks for more above that`
      : '';
  return {
    reason: 'no_capability',
    why: `${level}, and the process has no CAP_PERFMON${bounded}${barred}`,
    remedy: `${GIVE}${patch}; or ${LEVEL_ALL}`,
  };
}

function explainRefused({ seccomp }: Access): Verdict {
  if (seccomp === undefined || seccomp === 0)
    return {
      reason: 'security_module',
      why: 'perf_event_open is refused (EPERM) though no seccomp filter is there: a security module forbids it',
      remedy: "look into the audit log for 'perf_event'",
    };
  return {
    reason: 'seccomp',
    why: 'a seccomp profile forbids perf_event_open',
    remedy:
      "add PERFMON to the container's capabilities, for which the default profiles of containerd and Docker allow it; with CRI-O 1.30 to 1.34 or podman use a profile that allows perf_event_open",
  };
}

const PLAIN: Readonly<Record<string, Verdict>> = {
  ENODEV: { reason: 'cpu_offline', why: 'the CPU is offline', remedy: 'bring it online' },
  ENOSYS: {
    reason: 'not_in_kernel',
    why: 'this kernel is built without perf events',
    remedy: 'use a kernel with CONFIG_PERF_EVENTS',
  },
  NO_SYSCALLS: {
    reason: 'no_syscalls',
    why: 'this runtime cannot call the kernel directly',
    remedy: 'use the executable that Keyhole ships',
  },
  NO_EVENT: { reason: 'no_event', why: 'the event source has no such event', remedy: '' },
  NO_ROOM: {
    reason: 'no_room',
    why: 'a group needs more counters at once than the PMU has',
    remedy: 'take events out of the group, or write them without braces',
  },
  ENOTDIR: {
    reason: 'other',
    why: "the cgroup's folder may not be read",
    remedy: 'chmod go+rx on the folder, or leave it out by --collector.perf.cgroup-include',
  },
  ESTALE: { reason: 'no_event', why: 'the cgroup is gone', remedy: '' },
  EPIPE: {
    reason: 'no_opener',
    why: 'the process that opens counters has ended',
    remedy: 'look into the log for why, and start again',
  },
  EBUSY: {
    reason: 'busy',
    why: 'somebody else holds the counters',
    remedy: 'end what else counts on this machine (a profiler; the NMI watchdog: sysctl kernel.nmi_watchdog=0)',
  },
};

/** Judges what `perf_event_open` answered, an errno name. */
export function explain(errno: string, access: Access): Verdict {
  if (errno === 'EACCES') return explainDenied(access);
  if (errno === 'EPERM') return explainRefused(access);
  if (['ENOENT', 'ENOTSUP', 'EINVAL', 'ENXIO'].includes(errno))
    return access.hasCorePmu
      ? { reason: 'no_event', why: "this machine's PMU has no such event", remedy: '' }
      : {
          reason: 'no_pmu',
          why: 'this machine shows no hardware counters, as a virtual machine without a virtual PMU does',
          remedy:
            'give the virtual machine a PMU (QEMU: -cpu host,pmu=on; clouds: a metal or whole-socket size), or do without',
        };
  if (errno === 'EMFILE' || errno === 'ENFILE')
    return {
      reason: 'files_limit',
      why: `the limit of ${access.filesMax} open files does not suffice: a counter takes one on every CPU`,
      remedy:
        'LimitNOFILE=65536 in the systemd unit, --ulimit nofile=65536 of the container runtime, or fewer counters',
    };
  return PLAIN[errno] ?? { reason: 'other', why: `perf_event_open answered ${errno}`, remedy: '' };
}
