import { randomBytes } from 'node:crypto';
import type { Socket } from 'node:dgram';
import { once } from 'node:events';
import { closeSync } from 'node:fs';
import type { NtpPacket, NtpReply, NtpServer, NtpTime } from '../core/daemons.ts';
import { messageOf, ParseError } from '../core/errors.ts';
import { NS, SECONDS_TO_1970, secondsBetween } from '../parse/ntp_time.ts';
import { realtimeNs } from '../syscall/clock.ts';
import { openUdpSocket, receivedNs } from '../syscall/udp_socket.ts';

/** Data formats of RFC 5905, section 7.3. */
const PACKET_BYTES = 48;
const CLIENT = 3;
const SERVER = 4;
const AT = { reference: 16, origin: 24, receive: 32, transmit: 40 } as const;

const toNtp = (ns: bigint): NtpTime => BigInt.asUintN(64, ((ns + SECONDS_TO_1970 * NS) << 32n) / NS);

/** Parses what follows: flags, stratum, poll, precision, root delay and dispersion as 16.16 bits, an id, four times. */
export function parseNtpPacket(bytes: Buffer): NtpPacket {
  if (bytes.length < PACKET_BYTES) throw new ParseError('NTP', `${bytes.length} bytes, less than ${PACKET_BYTES}`);
  const [flags, stratum] = [bytes.readUInt8(0), bytes.readUInt8(1)];
  return {
    leap: flags >> 6,
    mode: flags & 7,
    stratum,
    rootDelay: bytes.readUInt32BE(4) / 2 ** 16,
    rootDispersion: bytes.readUInt32BE(8) / 2 ** 16,
    reference: bytes.readBigUInt64BE(AT.reference),
    origin: bytes.readBigUInt64BE(AT.origin),
    receive: bytes.readBigUInt64BE(AT.receive),
    transmit: bytes.readBigUInt64BE(AT.transmit),
  };
}

/** A request of this version, with a number of chance where the time of sending would be: the reply has to repeat it. */
export function encodeNtpRequest(version: number, cookie: NtpTime): Buffer {
  const bytes = Buffer.alloc(PACKET_BYTES);
  bytes[0] = (version << 3) | CLIENT;
  bytes.writeBigUInt64BE(cookie, AT.transmit);
  return bytes;
}

/** Throws a `ParseError` for what cannot be the reply to the request with this cookie. */
function checkReply({ mode, origin, receive, transmit }: NtpPacket, cookie: NtpTime): void {
  const fault = (what: string): ParseError => new ParseError('NTP', what);
  if (mode !== SERVER) throw fault(`a packet of mode ${mode}, not of a server`);
  if (origin !== cookie) throw fault('a reply to another request');
  if (transmit === 0n) throw fault('a reply without a time');
  if (secondsBetween(receive, transmit) < 0) throw fault('a reply that was sent before the request came');
}

const TIMEOUT_MS = 1000;

/** Waits for one packet on a socket that is connected, so that packets from elsewhere do not count. */
async function exchange(socket: Socket, fd: number | undefined, version: number, signal: AbortSignal) {
  const cookie = randomBytes(8).readBigUInt64BE();
  const replied = once(socket, 'message', { signal }) as Promise<[Buffer]>;
  const sent = realtimeNs();
  socket.send(encodeNtpRequest(version, cookie));
  const [bytes] = await replied;
  const received = (fd === undefined ? undefined : receivedNs(fd)) ?? realtimeNs();
  const packet = parseNtpPacket(bytes);
  checkReply(packet, cookie);
  return { packet, sent: toNtp(sent), received: toNtp(received) };
}

/** Opens a socket to that address alone. */
async function connectTo(address: string, family: 4 | 6, { port, ttl }: NtpServer, signal: AbortSignal) {
  const { createSocket } = await import('node:dgram');
  const fd = openUdpSocket(family);
  let socket: Socket;
  try {
    socket = createSocket({ type: family === 4 ? 'udp4' : 'udp6' });
  } catch (error) {
    if (fd !== undefined) closeSync(fd);
    throw error;
  }
  try {
    const bound = once(socket, 'listening', { signal });
    if (fd === undefined) socket.bind();
    else socket.bind({ fd });
    await bound;
    const connected = once(socket, 'connect', { signal });
    socket.connect(port, address);
    await connected;
    if (ttl > 0) socket.setTTL(ttl);
  } catch (error) {
    socket.close();
    throw error;
  }
  // Where the server is not there, the kernel says so by an error, perhaps after nobody waits any more.
  socket.on('error', () => {});
  return { socket, fd };
}

/** Asks a server once, and waits a second at most. */
export async function askNtp(server: NtpServer, turnSignal: AbortSignal): Promise<NtpReply> {
  const signal = AbortSignal.any([turnSignal, AbortSignal.timeout(TIMEOUT_MS)]);
  const { lookup } = await import('node:dns/promises');
  const { address, family } = await lookup(server.host, { order: 'ipv4first' });
  signal.throwIfAborted();
  try {
    const { socket, fd } = await connectTo(address, family === 6 ? 6 : 4, server, signal);
    try {
      return await exchange(socket, fd, server.version, signal);
    } finally {
      socket.close();
    }
  } catch (error) {
    const why = signal.aborted ? `no reply within ${TIMEOUT_MS / 1000} s` : messageOf(error);
    throw new Error(`${server.host}:${server.port}: ${why}`, { cause: error });
  }
}
