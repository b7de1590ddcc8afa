// A bus that a test speaks for: D-Bus written down once more, from the other side.
import { once } from 'node:events';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';

export type Value = string | number | bigint | boolean;

const pad = (at: number, to: number): Buffer => Buffer.alloc((to - (at % to)) % to);

/** One value of a basic type that starts `at` bytes behind a multiple of eight. */
function basic(type: string, value: Value, at: number): Buffer {
  const bytes = Buffer.alloc(type === 't' ? 8 : 4);
  if (type === 'y') return Buffer.from([Number(value)]);
  if (type === 'g') return Buffer.concat([Buffer.from([String(value).length]), Buffer.from(`${value}\0`)]);
  if (type === 't') bytes.writeBigUInt64LE(BigInt(value));
  else if (type === 'i') bytes.writeInt32LE(Number(value));
  else if (type === 's' || type === 'o') bytes.writeUInt32LE(Buffer.byteLength(String(value)));
  else bytes.writeUInt32LE(Number(value));
  const text = type === 's' || type === 'o' ? Buffer.from(`${value}\0`) : Buffer.alloc(0);
  return Buffer.concat([pad(at, bytes.length), bytes, text]);
}

/** Values one after another, structures as `(`. */
function join8(types: string, values: readonly Value[], start: number): Buffer {
  let bytes = Buffer.alloc(0);
  for (const [i, type] of [...types].entries())
    bytes = Buffer.concat([bytes, basic(type, values[i] as Value, start + bytes.length)]);
  return bytes;
}

export interface Body {
  readonly signature: string;
  readonly bytes: Buffer;
}

export const nothing: Body = { signature: '', bytes: Buffer.alloc(0) };
export const values = (types: string, ...all: readonly Value[]): Body => ({
  signature: types,
  bytes: join8(types, all, 0),
});
export const variant = (type: string, value: Value): Body => {
  const head = basic('g', type, 0);
  return { signature: 'v', bytes: Buffer.concat([head, basic(type, value, head.length)]) };
};
export function rows(types: string, all: readonly (readonly Value[])[]): Body {
  let bytes = Buffer.alloc(0);
  for (const row of all) {
    const padded = Buffer.concat([bytes, pad(bytes.length, 8)]);
    bytes = Buffer.concat([padded, join8(types, row, padded.length)]);
  }
  const size = Buffer.alloc(8);
  size.writeUInt32LE(bytes.length);
  return { signature: `a(${types})`, bytes: Buffer.concat([size, bytes]) };
}

export interface Head {
  readonly type: number;
  readonly replySerial: number;
  readonly errorName?: string;
}

/** A whole message. */
export function message({ type, replySerial, errorName }: Head, { signature, bytes: body }: Body): Buffer {
  let fields = Buffer.alloc(0);
  const field = (code: number, kind: string, value: Value): void => {
    const head = Buffer.concat([fields, pad(fields.length, 8), Buffer.from([code]), basic('g', kind, 0)]);
    fields = Buffer.concat([head, basic(kind, value, head.length)]);
  };
  field(5, 'u', replySerial);
  if (errorName !== undefined) field(4, 's', errorName);
  if (signature !== '') field(8, 'g', signature);
  const head = Buffer.alloc(16);
  head.set([0x6c, type, 1, 1]);
  head.writeUInt32LE(body.length, 4);
  head.writeUInt32LE(1, 8);
  head.writeUInt32LE(fields.length, 12);
  return Buffer.concat([head, fields, pad(fields.length, 8), body]);
}

/** A call as it came. */
export interface Asked {
  readonly serial: number;
  readonly path: string;
  readonly member: string;
  readonly args: readonly string[];
}

/** The texts that stand at `at` and behind it, up to `end`. */
function textsIn(bytes: Buffer, at: number, end: number): string[] {
  if (at >= end) return [];
  const length = bytes.readUInt32LE(at);
  const next = at + 4 + length + 1;
  return [bytes.toString('utf8', at + 4, at + 4 + length), ...textsIn(bytes, next + ((4 - (next % 4)) % 4), end)];
}

function parseCall(bytes: Buffer): Asked & { readonly sizeBytes: number } {
  const fieldsEnd = 16 + bytes.readUInt32LE(12);
  const bodyAt = fieldsEnd + ((8 - (fieldsEnd % 8)) % 8);
  const sizeBytes = bodyAt + bytes.readUInt32LE(4);
  const fields = new Map<number, string>();
  for (let at = 16; at < fieldsEnd; ) {
    const [code, type] = [bytes[at] as number, bytes[at + 2]];
    const lengthAt = at + 4;
    const length = type === 0x67 ? (bytes[lengthAt] as number) : bytes.readUInt32LE(lengthAt);
    const textAt = lengthAt + (type === 0x67 ? 1 : 4);
    fields.set(code, bytes.toString('utf8', textAt, textAt + length));
    const next = textAt + length + 1;
    at = next + ((8 - (next % 8)) % 8);
  }
  const serial = bytes.readUInt32LE(8);
  const args = textsIn(bytes, bodyAt, sizeBytes);
  return { serial, path: fields.get(1) ?? '', member: fields.get(3) ?? '', args, sizeBytes };
}

/** What a bus does with a call: what it returns is returned; `undefined` is no answer. */
export type Answer = (call: Asked, socket: Socket) => Body | Error | undefined;

/** Speaks D-Bus to whoever connects. */
export function serve(socket: Socket, answer: Answer): void {
  let bytes = Buffer.alloc(0);
  let isReady = false;
  const take = (): boolean => {
    if (!isReady) {
      if (bytes.includes('AUTH') && bytes.includes('DATA\r\n') && socket.bytesWritten === 0)
        socket.write('DATA\r\nOK 0123456789abcdef0123456789abcdef\r\n');
      const begin = bytes.indexOf('BEGIN\r\n');
      if (begin < 0) return false;
      bytes = bytes.subarray(begin + 'BEGIN\r\n'.length);
      isReady = true;
    }
    if (bytes.length < 16) return false;
    const call = parseCall(bytes);
    if (bytes.length < call.sizeBytes) return false;
    bytes = bytes.subarray(call.sizeBytes);
    const body = call.member === 'Hello' ? values('s', ':1.1') : answer(call, socket);
    const head = { type: 2, replySerial: call.serial };
    if (body instanceof Error)
      socket.write(message({ ...head, type: 3, errorName: body.name }, values('s', body.message)));
    else if (body !== undefined) socket.write(message(head, body));
    return true;
  };
  socket.on('error', () => {});
  socket.on('data', (chunk: Buffer) => {
    bytes = Buffer.concat([bytes, chunk]);
    while (take());
  });
}

/** Listens on a Unix socket that goes away with the test, and makes it the system's bus for as long. */
export async function startBus(t: TestContext, onConnect: (socket: Socket) => void): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), 'keyhole-bus-'));
  const path = join(folder, 'bus');
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => {}).once('close', () => sockets.delete(socket));
    onConnect(socket);
    // Whoever reads nothing does not see that the other end has closed.
    socket.resume();
  }).listen(path);
  await once(server, 'listening');
  const before = process.env['DBUS_SYSTEM_BUS_ADDRESS'];
  process.env['DBUS_SYSTEM_BUS_ADDRESS'] = `unix:path=${path}`;
  t.after(() => {
    if (before === undefined) delete process.env['DBUS_SYSTEM_BUS_ADDRESS'];
    else process.env['DBUS_SYSTEM_BUS_ADDRESS'] = before;
    for (const socket of sockets) socket.destroy();
    server.close();
    rmSync(folder, { recursive: true, force: true });
  });
  return path;
}

/** How many descriptors this process holds, once there are no more of them than `most`, or after a while. */
export async function descriptorsHeld(most: number): Promise<number> {
  const count = (): number => readdirSync('/proc/self/fd').length;
  for (let tries = 0; count() > most && tries < 100; tries += 1) await delay(20);
  return count();
}
