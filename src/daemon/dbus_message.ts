import type { Basic } from '../core/daemons.ts';
import { LimitError, ParseError } from '../core/errors.ts';

/**
 * The part of D-Bus that asking takes: calls whose arguments are texts; replies of single values, of variants, and of arrays
 * of structures. Little-endian, as both of Keyhole's architectures and whoever shares a machine with it.
 * https://dbus.freedesktop.org/doc/dbus-specification.html
 */

export interface Call {
  /** The bus name of who is asked, such as `org.freedesktop.systemd1`. */
  readonly destination: string;
  readonly path: string;
  readonly interface: string;
  readonly member: string;
  readonly args: readonly string[];
}

/** The types of messages. */
const METHOD_CALL = 1;
export const METHOD_RETURN = 2;
export const ERROR = 3;

/** Codes of header fields. */
const FIELD = { path: 1, interface: 2, member: 3, errorName: 4, replySerial: 5, destination: 6, signature: 8 } as const;

const LITTLE_ENDIAN = 'l'.charCodeAt(0);
const VERSION = 1;
const HEAD_BYTES = 16;
/** The specification allows twice as much; 100,000 units take 25 MiB. */
const MESSAGE_BYTES_MAX = 64 << 20;

const aligned = (at: number, to: number): number => Math.ceil(at / to) * to;

/** What any text of a call takes at most beside its bytes: a field's code and type, a length, a zero, three paddings. */
const TEXT_BYTES_MAX = 24;

/** Encodes a method call. `serial` is a number above 0 that its reply will name. */
export function encodeCall(serial: number, { destination, path, interface: name, member, args }: Call): Buffer {
  const fields = [
    [FIELD.path, 'o', path],
    [FIELD.interface, 's', name],
    [FIELD.member, 's', member],
    [FIELD.destination, 's', destination],
  ] as const;
  const signature = 's'.repeat(args.length);
  const texts = [destination, path, name, member, signature, ...args];
  const size = texts.reduce((sum, text) => sum + Buffer.byteLength(text) + TEXT_BYTES_MAX, HEAD_BYTES);
  const bytes = Buffer.alloc(size);
  let at = HEAD_BYTES;
  const putText = (text: string): void => {
    at = aligned(at, 4);
    const length = bytes.write(text, at + 4);
    bytes.writeUInt32LE(length, at);
    at += 4 + length + 1;
  };
  /** A signature of less than 256 bytes. */
  const putSignature = (text: string): void => {
    bytes[at] = text.length;
    at += 1 + bytes.write(text, at + 1) + 1;
  };
  for (const [code, type, text] of fields) {
    at = aligned(at, 8);
    bytes[at++] = code;
    putSignature(type);
    putText(text);
  }
  if (args.length > 0) {
    at = aligned(at, 8);
    bytes[at++] = FIELD.signature;
    putSignature('g');
    putSignature(signature);
  }
  const fieldsBytes = at - HEAD_BYTES;
  const bodyAt = aligned(at, 8);
  at = bodyAt;
  for (const arg of args) putText(arg);
  bytes[0] = LITTLE_ENDIAN;
  bytes[1] = METHOD_CALL;
  bytes[3] = VERSION;
  bytes.writeUInt32LE(at - bodyAt, 4);
  bytes.writeUInt32LE(serial, 8);
  bytes.writeUInt32LE(fieldsBytes, 12);
  return bytes.subarray(0, at);
}

/** Reads values one after another out of `bytes`, from `at` up to `end`. Throws a `ParseError` with the place for what is not there. */
class Reader {
  readonly #bytes: Buffer;
  readonly #end: number;
  at: number;

  constructor(bytes: Buffer, at: number, end: number) {
    this.#bytes = bytes;
    this.at = at;
    this.#end = end;
  }

  fault(what: string): ParseError {
    return new ParseError('D-Bus', `${what} at byte ${this.at} of ${this.#end}`);
  }

  /** Moves to a multiple of `to`, and answers where the `size` bytes from there on start. */
  take(size: number, to: number): number {
    const start = aligned(this.at, to);
    if (start + size > this.#end) throw this.fault(`no room for ${size} bytes`);
    this.at = start + size;
    return start;
  }

  byte(): number {
    return this.#bytes[this.take(1, 1)] as number;
  }

  uint32(): number {
    return this.#bytes.readUInt32LE(this.take(4, 4));
  }

  uint64(): number {
    const start = this.take(8, 8);
    return this.#bytes.readUInt32LE(start + 4) * 2 ** 32 + this.#bytes.readUInt32LE(start);
  }

  text(length: number): string {
    const start = this.take(length + 1, 1);
    if (this.#bytes[start + length] !== 0) throw this.fault('a text without its end');
    return this.#bytes.toString('utf8', start, start + length);
  }

  /** `types` are checked: a type that nobody here needs is refused. */
  basic(type: string): Basic {
    switch (type) {
      case 'y':
        return this.byte();
      case 'b':
        return this.uint32() !== 0;
      case 'u':
        return this.uint32();
      case 'i':
        return this.uint32() | 0;
      case 't':
        return this.uint64();
      case 's':
      case 'o':
        return this.text(this.uint32());
      case 'g':
        return this.text(this.byte());
      default:
        throw this.fault(`a value of type '${type}'`);
    }
  }

  /** A variant that holds a basic value. */
  variant(): Basic {
    return this.basic(this.text(this.byte()));
  }
}

/** A message as far as its header says. */
export interface Message {
  readonly type: number;
  /** The call that this one answers; 0 for none. */
  readonly replySerial: number;
  readonly errorName: string;
  readonly signature: string;
  /** Where the body starts in `bytes`, the whole message. */
  readonly bodyAt: number;
  readonly bytes: Buffer;
}

/** How long the message is that starts at `at`; `undefined` where there are too few bytes to say. */
export function messageBytes(bytes: Buffer, at = 0): number | undefined {
  if (bytes.length - at < HEAD_BYTES) return undefined;
  if (bytes[at] !== LITTLE_ENDIAN || bytes[at + 3] !== VERSION)
    throw new ParseError('D-Bus', `a head ${bytes.toString('hex', at, at + HEAD_BYTES)}`);
  const size = aligned(HEAD_BYTES + bytes.readUInt32LE(at + 12), 8) + bytes.readUInt32LE(at + 4);
  if (size > MESSAGE_BYTES_MAX) throw new LimitError(`D-Bus: a message of ${size} bytes`);
  return size;
}

/** Parses the header of one whole message. */
export function parseMessage(bytes: Buffer): Message {
  const fieldsEnd = HEAD_BYTES + bytes.readUInt32LE(12);
  const reader = new Reader(bytes, HEAD_BYTES, fieldsEnd);
  let replySerial: Basic = 0;
  let errorName: Basic = '';
  let signature: Basic = '';
  while (reader.at < fieldsEnd) {
    const code = bytes[reader.take(1, 8)];
    const value = reader.variant();
    if (code === FIELD.replySerial) replySerial = value;
    else if (code === FIELD.errorName) errorName = value;
    else if (code === FIELD.signature) signature = value;
  }
  return {
    type: bytes[1] as number,
    replySerial: Number(replySerial),
    errorName: String(errorName),
    signature: String(signature),
    bodyAt: aligned(fieldsEnd, 8),
    bytes,
  };
}

function bodyOf({ signature, bodyAt, bytes }: Message, expected: string): Reader {
  const reader = new Reader(bytes, bodyAt, bytes.length);
  if (signature !== expected) throw reader.fault(`'${signature}' instead of '${expected}'`);
  return reader;
}

/** The variant that a message holds. */
export const parseVariant = (message: Message): Basic => bodyOf(message, 'v').variant();

/** The text that a message starts with; empty where it starts with none. */
export const parseText = ({ signature, bodyAt, bytes }: Message): string =>
  signature.startsWith('s') ? String(new Reader(bytes, bodyAt, bytes.length).basic('s')) : '';

/** The array of structures that a message holds; `types` are those of a structure's members, basic all of them. */
export function parseRows(message: Message, types: string): Basic[][] {
  const reader = bodyOf(message, `a(${types})`);
  const size = reader.uint32();
  // The padding before the first structure does not count.
  const start = reader.take(0, 8);
  const end = start + size;
  const rows: Basic[][] = [];
  while (reader.at < end) {
    reader.take(0, 8);
    rows.push(Array.from(types, (type) => reader.basic(type)));
  }
  if (reader.at !== end) throw reader.fault(`an array that ends at ${end}`);
  return rows;
}
