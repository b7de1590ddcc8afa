import { closeSync } from 'node:fs';
import { hasErrno, LimitError } from '../core/errors.ts';
import type { DumpRequest, Dumps, Fold, Parse } from '../core/network.ts';
import { NoSyscallsError, SyscallError, syscall } from '../syscall/libc.ts';
import { refuse } from './attributes.ts';

export type { DumpRequest } from '../core/network.ts';

export interface Netlink extends Dumps {
  /** The name of a network device; `undefined` when it is gone. */
  deviceName(index: number): string | undefined;
  close(): void;
}

/** The way to the kernel. After `reset` nothing that was asked before is answered any more. */
export interface Channel {
  send(message: Uint8Array): void;
  /** Receives one datagram and answers its whole length, even where that is more than `into` holds. */
  receive(into: Uint8Array): number;
  reset(): void;
  deviceName(index: number): string | undefined;
}

const HEAD_BYTES = 16;
const NLMSG_ERROR = 2;
const NLMSG_DONE = 3;
const NLMSG_OVERRUN = 4;
const FLAG_REQUEST = 0x1;
const FLAG_DUMP_INTERRUPTED = 0x10;
const FLAG_DUMP = 0x300;

/** What netlink can recover from by asking again. */
const AGAIN = ['EINTR', 'ENOBUFS'] as const;
const TRIES = 8;
/** Of one answer. A dump of a hundred thousand devices needs a tenth of it. */
const DATAGRAMS_MAX = 1 << 16;
const DATAGRAM_BYTES_MAX = 4 << 20;

/** The list changed while the kernel wrote it: something may be missing or be there twice. */
class InterruptedError extends Error {
  override readonly name = 'InterruptedError';
  readonly code = 'EINTR';
}

/** The buffer was too small, and what did not fit is lost. It has grown. */
class TruncatedError extends Error {
  override readonly name = 'TruncatedError';
  readonly code = 'ENOBUFS';
}

/** One buffer for every answer in the process, of what the kernel puts into a datagram at most unless one thing needs more. */
let buffer = new Uint8Array(32 << 10);
let view = new DataView(buffer.buffer);

function grow(sizeBytes: number): never {
  if (sizeBytes > DATAGRAM_BYTES_MAX) throw new LimitError(`netlink: a datagram of ${sizeBytes} bytes`);
  buffer = new Uint8Array(2 ** Math.ceil(Math.log2(sizeBytes)));
  view = new DataView(buffer.buffer);
  throw new TruncatedError('netlink: a datagram was longer than expected');
}

/** `struct nlmsghdr` and what follows it. */
function encode({ type, body }: DumpRequest, sequence: number): Uint8Array {
  const message = new Uint8Array(HEAD_BYTES + body.length);
  const head = new DataView(message.buffer);
  head.setUint32(0, message.length, true);
  head.setUint16(4, type, true);
  head.setUint16(6, FLAG_REQUEST | FLAG_DUMP, true);
  head.setUint32(8, sequence, true);
  message.set(body, HEAD_BYTES);
  return message;
}

/** The errno in an answer, if there is one: of an error, or at the end of a list that could not be written whole. */
function throwErrno(from: DataView, start: number, end: number): void {
  const errno = end - start < 4 ? 0 : -from.getInt32(start, true);
  if (errno < 0) refuse(`error ${errno}`, start);
  if (errno > 0) throw new SyscallError('netlink', errno);
}

/**
 * Takes each message of one datagram, and answers whether it ends the list. Messages of other questions (another `sequence`)
 * are passed over. https://docs.kernel.org/userspace-api/netlink/intro.html
 */
export function parseDatagram(
  from: DataView,
  length: number,
  { reply, sequence }: { readonly reply: number; readonly sequence: number },
  take: (view: DataView, start: number, end: number) => void,
): boolean {
  for (let at = 0; at < length; ) {
    const size = length - at < HEAD_BYTES ? 0 : from.getUint32(at, true);
    if (size < HEAD_BYTES || size > length - at) refuse(`a message of ${size} bytes in ${length - at}`, at);
    const type = from.getUint16(at + 4, true);
    const flags = from.getUint16(at + 6, true);
    const start = at + HEAD_BYTES;
    const end = at + size;
    if (from.getUint32(at + 8, true) === sequence) {
      if ((flags & FLAG_DUMP_INTERRUPTED) !== 0) throw new InterruptedError('netlink: the list changed all the time');
      if (type === NLMSG_OVERRUN) throw new SyscallError('netlink', ENOBUFS);
      if (type === NLMSG_ERROR || type === NLMSG_DONE) throwErrno(from, start, end);
      if (type === NLMSG_DONE) return true;
      if (type === reply) take(from, start, end);
    }
    at += (size + 3) & ~3;
  }
  return false;
}

const ENOBUFS = 105;

/** Asks over a channel. Whatever goes wrong, the channel is reset; what may go better the next time is tried again. */
export function createNetlink(channel: Channel): Netlink {
  let sequence = 0;
  const ask = (request: DumpRequest, take: (view: DataView, start: number, end: number) => void): void => {
    sequence = (sequence + 1) >>> 0;
    channel.send(encode(request, sequence));
    const question = { reply: request.reply, sequence };
    for (let datagrams = 0; datagrams < DATAGRAMS_MAX; datagrams += 1) {
      const length = channel.receive(buffer);
      if (length > buffer.length) grow(length);
      if (parseDatagram(view, length, question, take)) return;
    }
    throw new LimitError(`netlink: an answer of more than ${DATAGRAMS_MAX} datagrams`);
  };
  const fold = <S>(request: DumpRequest, begin: () => S, take: Fold<S>): S => {
    for (let tries = 1; ; tries += 1) {
      try {
        const state = begin();
        ask(request, (from, start, end) => take(state, from, start, end));
        return state;
      } catch (error) {
        channel.reset();
        if (tries >= TRIES || !hasErrno(error, AGAIN)) throw error;
      }
    }
  };
  return {
    fold,
    dump<T>(request: DumpRequest, parse: Parse<T>): T[] {
      const begin = (): T[] => [];
      return fold(request, begin, (found, from, start, end) => {
        const one = parse(from, start, end);
        if (one !== undefined) found.push(one);
      });
    },
    deviceName: (index) => channel.deviceName(index),
    close: () => channel.reset(),
  };
}

const AF_NETLINK = 16;
const SOCK_RAW = 3;
const SOCK_CLOEXEC = 0x80000;
const MSG_TRUNC = 0x20;
const MSG_DONTWAIT = 0x40;
const SIOCGIFNAME = 0x8910;

/** struct ifreq of `include/uapi/linux/if.h`: a name of 16 bytes, then a union, here with the index. */
const IFREQ_BYTES = 40;
const IFNAME_BYTES = 16;

/** A socket of this protocol, opened when it is needed and kept. Needs no privilege. https://man7.org/linux/man-pages/man7/netlink.7.html */
function socketChannel(protocol: number): Channel {
  let open: number | undefined;
  const socket = (): number => {
    open ??= syscall('socket', AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, protocol);
    return open;
  };
  // struct sockaddr_nl: family and padding, the sender's port (0 is the kernel), groups.
  const sender = new Uint32Array(3);
  const senderBytes = new Uint32Array(1);
  const request = new Uint8Array(IFREQ_BYTES);
  const requestView = new DataView(request.buffer);
  return {
    send(message) {
      syscall('sendto', socket(), message, message.length, MSG_DONTWAIT, 0, 0);
    },
    // The kernel writes the first datagram while it is asked and each other while the one before is taken: it never has to be
    // waited for.
    receive(into) {
      for (let strangers = 0; strangers < DATAGRAMS_MAX; strangers += 1) {
        senderBytes[0] = sender.byteLength;
        const flags = MSG_DONTWAIT | MSG_TRUNC;
        const length = syscall('recvfrom', socket(), into, into.length, flags, sender, senderBytes);
        if (sender[1] === 0) return length;
      }
      throw new LimitError('netlink: others than the kernel send without end');
    },
    reset() {
      if (open === undefined) return;
      closeSync(open);
      open = undefined;
    },
    deviceName(index) {
      request.fill(0);
      requestView.setInt32(IFNAME_BYTES, index, true);
      try {
        syscall('ioctl', socket(), SIOCGIFNAME, request);
      } catch (error) {
        if (hasErrno(error, ['ENODEV'])) return undefined;
        throw error;
      }
      const name = Buffer.from(request.buffer, 0, IFNAME_BYTES);
      return name.toString('utf8', 0, name.indexOf(0));
    },
  };
}

/** Asks the kernel by netlink. Opens nothing before the first question. */
export const openNetlink = (protocol: number): Netlink => createNetlink(socketChannel(protocol));

/** What a sandbox answers that has no netlink, or not for this process. Node's name for EOPNOTSUPP is ENOTSUP. */
const CLOSED: readonly string[] = ['EPERM', 'EACCES', 'ENOSYS', 'EAFNOSUPPORT', 'EPROTONOSUPPORT', 'ENOTSUP'];

/** Whether netlink cannot be used in this process at all. */
export const isClosed = (error: unknown): boolean =>
  error instanceof NoSyscallsError || (error instanceof SyscallError && CLOSED.includes(error.code));
