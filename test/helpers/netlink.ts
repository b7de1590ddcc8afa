import assert from 'node:assert/strict';
import fc from 'fast-check';
import { createNetlink, type Netlink } from '../../src/netlink/netlink.ts';

/** What an attribute holds: bytes, a text (a zero is added), or a number with its width. */
export type AttributeValue = Uint8Array | string | { readonly u8: number } | { readonly u32: number };

function bytesOf(value: AttributeValue): Uint8Array {
  if (value instanceof Uint8Array) return value;
  if (typeof value === 'string') return Buffer.from(`${value}\0`);
  if ('u8' in value) return Uint8Array.of(value.u8);
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value.u32);
  return bytes;
}

export const u64s = (...values: readonly bigint[]): Uint8Array => new Uint8Array(BigUint64Array.from(values).buffer);
export const u32s = (...values: readonly number[]): Uint8Array => new Uint8Array(Uint32Array.from(values).buffer);

const padded = (bytes: Uint8Array): Buffer => Buffer.concat([bytes, Buffer.alloc(-bytes.length & 3)]);

/** One attribute as the kernel writes it, with its padding. */
export function attribute(type: number, value: AttributeValue): Buffer {
  const bytes = bytesOf(value);
  const head = Buffer.alloc(4);
  head.writeUInt16LE(4 + bytes.length, 0);
  head.writeUInt16LE(type, 2);
  return padded(Buffer.concat([head, bytes]));
}

export type Attribute = readonly [type: number, value: AttributeValue];

export const attributes = (...all: readonly Attribute[]): Buffer =>
  Buffer.concat(all.map(([type, value]) => attribute(type, value)));

/** A message with its head, padded. */
export function message(type: number, flags: number, sequence: number, body: Uint8Array): Buffer {
  const head = Buffer.alloc(16);
  head.writeUInt32LE(16 + body.length, 0);
  head.writeUInt16LE(type, 4);
  head.writeUInt16LE(flags, 6);
  head.writeUInt32LE(sequence, 8);
  return padded(Buffer.concat([head, body]));
}

const AROUND = 64;

/** Parses `bytes` that lie between others, all of them `around`. What is read beyond them shows in the result. */
export function between<T>(
  bytes: Uint8Array,
  around: number,
  parse: (view: DataView, start: number, end: number) => T,
): T {
  const all = new Uint8Array(bytes.length + 2 * AROUND).fill(around);
  all.set(bytes, AROUND);
  return parse(new DataView(all.buffer), AROUND, AROUND + bytes.length);
}

/** What parsing gives, or the error's name. */
export function outcome(run: () => unknown): unknown {
  try {
    return run();
  } catch (error) {
    return `${(error as Error).name}`;
  }
}

/**
 * Holds that `parse` reads nothing beyond a message, answers, and throws nothing but a ParseError that names a byte, whatever
 * becomes of these messages: bytes that change, an end that is missing, and messages that are nothing but noise.
 */
export function assertLivesThrough(
  messages: readonly Uint8Array[],
  parse: (view: DataView, start: number, end: number) => unknown,
): void {
  const changes = fc.array(fc.tuple(fc.nat(400), fc.nat(255)), { maxLength: 6 });
  const noise = fc.uint8Array({ maxLength: 200 });
  const spoilt = fc.tuple(fc.constantFrom(...messages), changes, fc.nat(400)).map(([message, changed, cut]) => {
    const bytes = Uint8Array.from(message);
    for (const [at, byte] of changed) if (at < bytes.length) bytes[at] = byte;
    return bytes.subarray(0, bytes.length - (cut < bytes.length ? cut : 0));
  });
  fc.assert(
    fc.property(fc.oneof({ weight: 4, arbitrary: spoilt }, noise), (bytes) => {
      const [zeros, ones] = [0, 0xff].map((around) => {
        try {
          return between(bytes, around, parse);
        } catch (error) {
          assert.equal((error as Error).name, 'ParseError', String((error as Error).stack));
          assert.match((error as Error).message, / at byte \d+"$/);
          return (error as Error).message;
        }
      });
      assert.deepEqual(zeros, ones);
    }),
    { numRuns: 1000 },
  );
}

const ERROR = 2;
const DONE = 3;
const MULTI = 2;

/** The messages that answer a question, or the errno that does. */
export type Answer = readonly (readonly [type: number, body: Uint8Array])[] | number;

/** Netlink to a kernel that is nothing but these answers and these names of devices, by their index. */
export function kernelOf(
  answer: (type: number, body: Buffer) => Answer,
  deviceNames: Readonly<Record<number, string>> = {},
): Netlink {
  let datagram: Uint8Array = new Uint8Array(0);
  return createNetlink({
    send(request) {
      const question = Buffer.from(request);
      const sequence = question.readUInt32LE(8);
      const found = answer(question.readUInt16LE(4), question.subarray(16));
      const number = Buffer.alloc(4);
      number.writeInt32LE(typeof found === 'number' ? -found : 0);
      const messages = typeof found === 'number' ? [[ERROR, number] as const] : [...found, [DONE, number] as const];
      datagram = Buffer.concat(messages.map(([type, body]) => message(type, MULTI, sequence, body)));
    },
    receive(into) {
      into.set(datagram);
      return datagram.length;
    },
    reset() {},
    deviceName: (index) => deviceNames[index],
  });
}
