import { closeSync } from 'node:fs';
import process from 'node:process';
import { hasErrno } from '../core/errors.ts';
import { syscall } from './libc.ts';

/** A TCP address as it was asked for; an empty host means every address of the machine. */
export interface TcpAddress {
  readonly host: string;
  readonly port: number;
}

const AF_INET = 2;
const AF_INET6 = 10;
const SOCK_STREAM = 1;
const SOL_SOCKET = 1;
const SO_REUSEADDR = 2;
const IPPROTO_IPV6 = 41;
const IPV6_V6ONLY = 26;
const BACKLOG = 1024;

/** The sixteen bytes of an IPv6 address. */
function ipv6Bytes(address: string): number[] {
  // The URL parser writes every form as groups of hexadecimal digits, with at most one `::`.
  const [head = '', tail] = new URL(`http://[${address}]/`).hostname.slice(1, -1).split('::');
  const groups = (text: string | undefined): string[] => (text === undefined || text === '' ? [] : text.split(':'));
  const [left, right] = [groups(head), groups(tail)];
  const all = [...left, ...Array.from({ length: 8 - left.length - right.length }, () => '0'), ...right];
  return all.flatMap((group) => [Number.parseInt(group, 16) >> 8, Number.parseInt(group, 16) & 0xff]);
}

/** struct sockaddr_in or sockaddr_in6, `include/uapi/linux/in.h`; `undefined` for what is no address but a name. */
export function socketAddress({ host, port }: TcpAddress): Buffer | undefined {
  const version = process.getBuiltinModule('node:net').isIP(host);
  if (version === 0 || host.includes('%')) return undefined;
  const bytes = Buffer.alloc(version === 4 ? 16 : 28);
  bytes.writeUInt16LE(version === 4 ? AF_INET : AF_INET6, 0);
  bytes.writeUInt16BE(port, 2);
  bytes.set(version === 4 ? host.split('.').map(Number) : ipv6Bytes(host), version === 4 ? 4 : 8);
  return bytes;
}

const on = (): Uint8Array => new Uint8Array(Int32Array.of(1).buffer);
const off = (): Uint8Array => new Uint8Array(Int32Array.of(0).buffer);

function listenAt(address: Buffer): number {
  const family = address.readUInt16LE(0);
  const fd = syscall('socket', family, SOCK_STREAM, 0);
  try {
    syscall('setsockopt', fd, SOL_SOCKET, SO_REUSEADDR, on(), 4);
    if (family === AF_INET6) syscall('setsockopt', fd, IPPROTO_IPV6, IPV6_V6ONLY, off(), 4);
    syscall('bind', fd, address, address.length);
    syscall('listen', fd, BACKLOG);
    return fd;
  } catch (error) {
    closeSync(fd);
    throw error;
  }
}

/** Opens a listening socket, which an exec leaves open; `undefined` where the host is a name. */
export function openListener({ host, port }: TcpAddress): number | undefined {
  const address = socketAddress({ host: host === '' ? '::' : host, port });
  if (address === undefined) return undefined;
  try {
    return listenAt(address);
  } catch (error) {
    // A machine without IPv6.
    if (host !== '' || !hasErrno(error, ['EAFNOSUPPORT', 'EADDRNOTAVAIL'])) throw error;
    return listenAt(socketAddress({ host: '0.0.0.0', port }) as Buffer);
  }
}
