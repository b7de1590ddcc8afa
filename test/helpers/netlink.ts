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
