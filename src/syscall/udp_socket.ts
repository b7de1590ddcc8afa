import { timeFrom } from './clock.ts';
import { NoSyscallsError, SyscallError, syscall } from './libc.ts';

/** `include/linux/socket.h`, `include/linux/net.h` */
const AF_INET = 2;
const AF_INET6 = 10;
const SOCK_DGRAM = 2;
const SOCK_CLOEXEC = 0x80000;
const SOCK_NONBLOCK = 0x800;

/** `include/uapi/asm-generic/sockios.h`; the structure is that of 64-bit machines. */
const SIOCGSTAMPNS = 0x8907;

/**
 * When the packet that was read last had come to the socket, in nanoseconds since 1970: the program itself may have been busy
 * then. `undefined` where the kernel does not say. The first question makes the kernel note it from then on.
 */
export function receivedNs(fd: number): bigint | undefined {
  try {
    return timeFrom((bytes) => syscall('ioctl', fd, SIOCGSTAMPNS, bytes));
  } catch (error) {
    if (error instanceof SyscallError) return undefined;
    throw error;
  }
}

/** Opens a UDP socket of which `receivedNs` can be asked. `undefined` where the kernel cannot be called. */
export function openUdpSocket(family: 4 | 6): number | undefined {
  try {
    const fd = syscall('socket', family === 4 ? AF_INET : AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    receivedNs(fd);
    return fd;
  } catch (error) {
    if (error instanceof NoSyscallsError) return undefined;
    throw error;
  }
}
