import { closeSync } from 'node:fs';
import { hasErrno } from '../core/errors.ts';
import { addressOf, struct, syscall } from './libc.ts';

/** Messages between two processes of this machine, with descriptors beside the bytes. unix(7), cmsg(3) */

const AF_UNIX = 1;
/** Each message arrives whole, and the end of the other process is an end of file. */
const SOCK_SEQPACKET = 5;
const SOCK_CLOEXEC = 0o2000000;
const SOL_SOCKET = 1;
const SCM_RIGHTS = 1;
const SO_RCVTIMEO = 20;
const SO_SNDTIMEO = 21;
const MSG_PEEK = 2;
const MSG_DONTWAIT = 0x40;
const MSG_NOSIGNAL = 0x4000;
const MSG_CMSG_CLOEXEC = 0x40000000;

/** A pair of sockets that an exec closes. */
export function socketPair(): readonly [number, number] {
  const pair = new Int32Array(2);
  syscall('socketpair', AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair);
  return [pair[0] as number, pair[1] as number];
}

/** How long a call may wait; later it answers EAGAIN. struct timeval */
export function setSocketTimeout(fd: number, timeoutMs: number): void {
  const time = BigInt64Array.of(BigInt(Math.floor(timeoutMs / 1000)), BigInt((timeoutMs % 1000) * 1000));
  for (const option of [SO_RCVTIMEO, SO_SNDTIMEO]) syscall('setsockopt', fd, SOL_SOCKET, option, time, time.byteLength);
}

/** struct iovec */
const iovecLayout = struct({ base: 'u64', length: 'u64' });

/** struct msghdr, as the kernel has it: `include/linux/socket.h` */
const messageLayout = struct({
  name: 'u64',
  nameLength: 'u32',
  vectors: 'u64',
  vectorsLength: 'u64',
  control: 'u64',
  controlLength: 'u64',
  flags: 'u32',
});

/** struct cmsghdr; the descriptors follow. */
const controlLayout = struct({ length: 'u64', level: 'i32', type: 'i32' });
const FD_BYTES = 4;
const controlBytes = (count: number): number => controlLayout.sizeBytes + Math.ceil((count * FD_BYTES) / 8) * 8;

/** A call that a signal broke off has done nothing. */
function unbroken(call: () => number): number {
  for (;;) {
    try {
      return call();
    } catch (error) {
      if (!hasErrno(error, ['EINTR'])) throw error;
    }
  }
}

/**
 * What the structure of a message points to, used again for each: one is sent or received at a time. The process that opens
 * counters handles thousands at once, and memory that is left behind outside of the heap comes back late.
 */
const vector = new Uint8Array(iovecLayout.sizeBytes);
const message = new Uint8Array(messageLayout.sizeBytes);
const header = new Uint8Array(controlLayout.sizeBytes);
let control = new Uint8Array();
let received = new Uint8Array();
/** The kernel is given only its address. */
let reachable: Uint8Array | undefined;

const withRoom = (bytes: Uint8Array<ArrayBuffer>, sizeBytes: number): Uint8Array<ArrayBuffer> =>
  bytes.length < sizeBytes ? new Uint8Array(sizeBytes) : bytes;

/** Lets `call` send or receive `bytes`, with so much of `control` beside them; answers how much there was of either. */
function withMessage(
  bytes: Uint8Array,
  controlLength: number,
  call: () => number,
): { readonly length: number; readonly controlLength: number } {
  reachable = bytes;
  iovecLayout.encode({ base: addressOf(reachable), length: BigInt(bytes.length) }, vector);
  const fields = {
    vectors: addressOf(vector),
    vectorsLength: 1n,
    control: controlLength === 0 ? 0n : addressOf(control),
    controlLength: BigInt(controlLength),
  };
  messageLayout.encode(fields, message);
  try {
    return { length: unbroken(call), controlLength: Number(messageLayout.decode(message).controlLength) };
  } finally {
    reachable = undefined;
  }
}

/** Sends a message, with a copy of each descriptor. */
export function sendMessage(fd: number, bytes: Uint8Array, fds: readonly number[] = []): void {
  const controlLength = fds.length === 0 ? 0 : controlBytes(fds.length);
  control = withRoom(control, controlLength);
  if (fds.length > 0) {
    const length = BigInt(controlLayout.sizeBytes + fds.length * FD_BYTES);
    control.set(controlLayout.encode({ length, level: SOL_SOCKET, type: SCM_RIGHTS }, header));
    const view = new DataView(control.buffer);
    for (const [i, each] of fds.entries()) view.setInt32(controlLayout.sizeBytes + i * FD_BYTES, each, true);
  }
  withMessage(bytes, controlLength, () => syscall('sendmsg', fd, message, MSG_NOSIGNAL));
}

export interface ReceivedMessage {
  /** Until the next one is received. */
  readonly bytes: Uint8Array;
  /** Now this process's own; closed at an exec. */
  readonly fds: readonly number[];
}

function descriptorsIn(controlLength: number): number[] {
  if (controlLength < controlLayout.sizeBytes) return [];
  const { length, level, type } = controlLayout.decode(control);
  if (level !== SOL_SOCKET || type !== SCM_RIGHTS) return [];
  const view = new DataView(control.buffer);
  const count = Math.floor((Math.min(Number(length), controlLength) - controlLayout.sizeBytes) / FD_BYTES);
  return Array.from({ length: count }, (_, i) => view.getInt32(controlLayout.sizeBytes + i * FD_BYTES, true));
}

/** Waits for a message; `undefined` when the other end is gone. What is longer than `bytesMax` arrives cut. */
export function receiveMessage(fd: number, bytesMax: number, fdsMax: number): ReceivedMessage | undefined {
  received = withRoom(received, bytesMax);
  control = withRoom(control, controlBytes(fdsMax));
  const { length, controlLength } = withMessage(received.subarray(0, bytesMax), controlBytes(fdsMax), () =>
    syscall('recvmsg', fd, message, MSG_CMSG_CLOEXEC),
  );
  const fds = descriptorsIn(controlLength);
  if (length === 0 && fds.length === 0) return undefined;
  return { bytes: received.subarray(0, length), fds };
}

/** Whether the other end is gone, and nothing is left of what it sent. Takes nothing, and does not wait. */
export function hasEnded(fd: number): boolean {
  try {
    return syscall('recvfrom', fd, new Uint8Array(1), 1, MSG_PEEK | MSG_DONTWAIT, 0, 0) === 0;
  } catch (error) {
    return !hasErrno(error, ['EAGAIN']);
  }
}

export const closeAll = (fds: readonly number[]): void => {
  for (const fd of fds) closeSync(fd);
};
