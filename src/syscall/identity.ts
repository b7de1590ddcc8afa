import process from 'node:process';
import { optional } from '../core/errors.ts';
import { getCapabilities, maskOf, setCapabilities } from './capability.ts';
import { syscall } from './libc.ts';

/** `include/uapi/linux/prctl.h` */
const PR_SET_PDEATHSIG = 1;
const PR_GET_PDEATHSIG = 2;

/** User and group of this thread, by raw system calls: libc's functions would change every thread. credentials(7) */
export interface User {
  readonly uid: number;
  readonly gid: number;
}

/** A change of the user forgets with which signal the process is to end when whoever started it ends. */
function keepingDeathSignal<T>(change: () => T): T {
  const signal = new Uint32Array(1);
  syscall('prctl', PR_GET_PDEATHSIG, signal, 0, 0, 0);
  try {
    return change();
  } finally {
    syscall('prctl', PR_SET_PDEATHSIG, signal[0] ?? 0, 0, 0, 0);
  }
}

/** Changes user and group for good, with no supplementary groups. Needs CAP_SETUID and CAP_SETGID effective. */
export function becomeUser({ uid, gid }: User): void {
  keepingDeathSignal(() => {
    syscall('setgroups', 0, 0);
    syscall('setresgid', gid, gid, gid);
    syscall('setresuid', uid, uid, uid);
  });
}

/** The capabilities that changing the user takes. */
export const CHANGE_USER = maskOf(['setuid', 'setgid']);

/** Runs `work` with this thread as another user, who has no capability, and goes back. The process must be root's. */
export const asUser = <T>(user: User, work: () => T): T => keepingDeathSignal(() => changed(user, work));

function changed<T>({ uid, gid }: User, work: () => T): T {
  const before = getCapabilities();
  const groups = process.getgroups?.() ?? [];
  const own = process.getgid?.() ?? 0;
  try {
    setCapabilities({ ...before, effective: CHANGE_USER });
    syscall('setgroups', 0, 0);
    syscall('setresgid', gid, gid, own);
    // The saved user stays root's: that is the way back. What was effective is lost with the effective user.
    syscall('setresuid', uid, uid, 0);
    return work();
  } finally {
    syscall('setresuid', 0, 0, 0);
    setCapabilities({ ...before, effective: CHANGE_USER });
    syscall('setresgid', own, own, own);
    // A user namespace may refuse it, and has refused it above then.
    optional(() => syscall('setgroups', groups.length, Uint32Array.from(groups)), ['EPERM']);
    setCapabilities(before);
  }
}

const PR_SET_DUMPABLE = 4;
const PR_SET_KEEPCAPS = 8;

/** Capabilities stay permitted where root becomes another user, up to the next exec. */
export function keepCapabilities(): void {
  syscall('prctl', PR_SET_KEEPCAPS, 1, 0, 0, 0);
}

/**
 * No other process of the same user may trace this one, read its memory or take its descriptors; and it leaves no core. Its
 * files in `/proc` belong to root from then on. An exec undoes it.
 */
export function refuseTracing(): void {
  syscall('prctl', PR_SET_DUMPABLE, 0, 0, 0, 0);
}
