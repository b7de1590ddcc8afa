import { constants } from 'node:os';
import { syscall, trySyscall } from '../syscall/libc.ts';

const { EAGAIN, EINTR, ENOBUFS } = constants.errno;

const AF_NETLINK = 16;
const SOCK_RAW = 3;
const SOCK_CLOEXEC = 0x80000;
const MSG_DONTWAIT = 0x40;
/** `include/uapi/linux/netlink.h` */
const NETLINK_KOBJECT_UEVENT = 15;
const KERNEL_EVENTS = 1;

/** Of one look. What is more is taken at the next: that something has happened is known by then. */
const EVENTS_MAX = 256;

/** The user namespace that the machine began with: the kernel reports devices without an owner to no other. */
export const isFirstUserNamespace = (uidMap: string): boolean => /^\s*0\s+0\s+4294967295\s*$/.test(uidMap);

/**
 * Counts what the kernel reports of devices that come, go or change: as long as the number is the same, no folder of devices has
 * another entry. Needs no privilege. `undefined` where the kernel does not let us listen. https://man7.org/linux/man-pages/man7/netlink.7.html
 */
export function openUevents(): (() => number) | undefined {
  try {
    const socket = syscall('socket', AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_KOBJECT_UEVENT);
    const address = Uint32Array.of(AF_NETLINK, 0, KERNEL_EVENTS);
    syscall('bind', socket, address, address.byteLength);
    return countEvents((into) => trySyscall('recvfrom', socket, into, into.length, MSG_DONTWAIT, 0, 0));
  } catch {
    return undefined;
  }
}

/** `receive` takes one event, and answers an errno below 0 where it has none: nearly always EAGAIN. */
export function countEvents(receive: (into: Uint8Array) => number): () => number {
  const into = new Uint8Array(1);
  let count = 0;
  return () => {
    for (let taken = 0; taken < EVENTS_MAX; taken += 1) {
      const errno = -receive(into);
      if (errno === EAGAIN) return count;
      // ENOBUFS: more has happened than the socket could hold. Anything else counts as an event, so that nothing is missed.
      count += 1;
      if (errno > 0 && errno !== ENOBUFS && errno !== EINTR) return count;
    }
    return count;
  };
}
