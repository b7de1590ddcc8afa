import { ParseError } from '../core/errors.ts';

/**
 * Attributes of netlink messages (`struct nlattr`): two bytes of length, head included, two of type, then the value, padded to
 * a multiple of four bytes. They are walked in place, without an object for each:
 *
 *     for (let at = start, after = at; at < end; at = after) {
 *       after = attributeAfter(view, at, end);
 *       if (attributeType(view, at) === …) … u32Of(view, at) …
 *     }
 *
 * `view` may hold more than the attributes: nothing at or beyond `end` is read. https://docs.kernel.org/userspace-api/netlink/intro.html
 */

const HEAD_BYTES = 4;
/** The two highest bits say that the value holds attributes, or is in network byte order. */
const TYPE_MASK = 0x3fff;

/** `offset` counts from the beginning of what `view` shows, which is the datagram. */
export function refuse(what: string, offset: number): never {
  throw new ParseError('netlink', `${what} at byte ${offset}`);
}

/** Checks the attribute at `at`, before anything else is asked of it, and answers where the next one begins. */
export function attributeAfter(view: DataView, at: number, end: number): number {
  const room = end - at;
  const length = room < HEAD_BYTES ? 0 : view.getUint16(at, true);
  if (length < HEAD_BYTES || length > room) refuse(`an attribute of ${length} bytes in ${room}`, at);
  return at + ((length + 3) & ~3);
}

/** Walks the attributes from `start` to `end`, where a call for each is not too much. */
export function walkAttributes(
  view: DataView,
  start: number,
  end: number,
  take: (type: number, at: number) => void,
): void {
  for (let at = start, after = at; at < end; at = after) {
    after = attributeAfter(view, at, end);
    take(attributeType(view, at), at);
  }
}

/** Walks the attributes that the attribute at `at` holds. */
export const walkNested = (view: DataView, at: number, take: (type: number, at: number) => void): void =>
  walkAttributes(view, valueStart(at), valueEnd(view, at), take);

export const attributeType = (view: DataView, at: number): number => view.getUint16(at + 2, true) & TYPE_MASK;

export const valueStart = (at: number): number => at + HEAD_BYTES;
export const valueEnd = (view: DataView, at: number): number => at + view.getUint16(at, true);

/** Refuses bytes that are fewer than what they should hold. */
export function needBytes(start: number, end: number, sizeBytes: number): void {
  if (end - start < sizeBytes) refuse(`${end - start} bytes where ${sizeBytes} are needed`, start);
}

/** Where a value begins that holds this much or more. */
function holding(view: DataView, at: number, sizeBytes: number): number {
  needBytes(valueStart(at), valueEnd(view, at), sizeBytes);
  return valueStart(at);
}

export const u8Of = (view: DataView, at: number): number => view.getUint8(holding(view, at, 1));
export const i8Of = (view: DataView, at: number): number => view.getInt8(holding(view, at, 1));
export const u16Of = (view: DataView, at: number): number => view.getUint16(holding(view, at, 2), true);
export const u32Of = (view: DataView, at: number): number => view.getUint32(holding(view, at, 4), true);

const WORD = 2 ** 32;

/** The nearest double to a 64 bit integer. Both halves are exact, so that only their sum is rounded. */
export const u64At = (view: DataView, offset: number): number =>
  view.getUint32(offset + 4, true) * WORD + view.getUint32(offset, true);

export const u64Of = (view: DataView, at: number): number => u64At(view, holding(view, at, 8));

/** A number of 32 bits as an attribute, for a message to send. */
export function encodeU32(type: number, value: number): Uint8Array {
  const bytes = new Uint8Array(HEAD_BYTES + 4);
  const view = new DataView(bytes.buffer);
  view.setUint16(0, bytes.length, true);
  view.setUint16(2, type, true);
  view.setUint32(HEAD_BYTES, value, true);
  return bytes;
}

/** The bytes of a value, in place. */
export const bytesOf = (view: DataView, at: number): Buffer =>
  Buffer.from(view.buffer, view.byteOffset + valueStart(at), valueEnd(view, at) - valueStart(at));

/** A text, up to the zero that ends it. */
export function textOf(view: DataView, at: number): string {
  const bytes = bytesOf(view, at);
  const zero = bytes.indexOf(0);
  return bytes.toString('utf8', 0, zero < 0 ? bytes.length : zero);
}

/** A hardware address, in hexadecimal with colons. */
export const hardwareAddressOf = (view: DataView, at: number): string =>
  bytesOf(view, at)
    .toString('hex')
    .replace(/..(?=.)/g, '$&:');
