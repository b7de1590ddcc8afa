// As much of protocol buffers as the messages of a container runtime need. https://protobuf.dev/programming-guides/encoding/

/** What a field holds. `map` is from text to text; a message is given by its fields. */
type Kind = 'text' | 'bytes' | 'int' | 'bool' | 'map' | Fields;

export interface Field {
  readonly number: number;
  readonly kind: Kind;
  readonly repeated?: true;
}

/** A message: its fields by name. */
export interface Fields {
  readonly [name: string]: Field;
}

/** What is in a message. Fields that are not there have no entry. */
export interface Message {
  readonly [name: string]: unknown;
}

const VARINT = 0;
const LENGTH_DELIMITED = 2;

const ENTRY: Fields = { key: { number: 1, kind: 'text' }, value: { number: 2, kind: 'text' } };

function varint(value: number): number[] {
  const bytes: number[] = [];
  let left = BigInt.asUintN(64, BigInt(value));
  while (left > 0x7fn) {
    bytes.push(Number(left & 0x7fn) | 0x80);
    left >>= 7n;
  }
  bytes.push(Number(left));
  return bytes;
}

function encodeOne({ number, kind }: Field, value: unknown): Buffer[] {
  const key = (wire: number): Buffer => Buffer.from(varint(number * 8 + wire));
  if (kind === 'int' || kind === 'bool') return [key(VARINT), Buffer.from(varint(Number(value)))];
  const bytes =
    kind === 'text'
      ? Buffer.from(value as string)
      : kind === 'bytes'
        ? (value as Buffer)
        : encode(kind as Fields, value as Message);
  return [key(LENGTH_DELIMITED), Buffer.from(varint(bytes.length)), bytes];
}

/** Throws for a name that the message does not have. */
export function encode(fields: Fields, message: Message): Buffer {
  const parts: Buffer[] = [];
  for (const [name, value] of Object.entries(message)) {
    const field = fields[name];
    if (field === undefined) throw new Error(`no field ${name}`);
    if (value === undefined) continue;
    if (field.kind === 'map')
      for (const [key, text] of Object.entries(value as Record<string, string>))
        parts.push(...encodeOne({ ...field, kind: ENTRY }, { key, value: text }));
    else for (const each of field.repeated ? (value as unknown[]) : [value]) parts.push(...encodeOne(field, each));
  }
  return Buffer.concat(parts);
}

interface Cursor {
  at: number;
}

function readVarint(bytes: Buffer, cursor: Cursor): number {
  let value = 0n;
  for (let shift = 0n; ; shift += 7n) {
    const byte = bytes[cursor.at++];
    if (byte === undefined) throw new Error('a message that is cut off');
    value |= BigInt(byte & 0x7f) << shift;
    if (byte < 0x80) return Number(BigInt.asIntN(64, value));
  }
}

function decodeOne(kind: Kind, value: Buffer | number): unknown {
  if (typeof value === 'number') return kind === 'bool' ? value !== 0 : value;
  if (kind === 'text') return value.toString();
  if (kind === 'bytes') return value;
  return decode(kind === 'map' ? ENTRY : (kind as Fields), value);
}

/** Leaves out what the fields do not name. */
export function decode(fields: Fields, bytes: Buffer): Message {
  const byNumber = new Map(Object.entries(fields).map(([name, field]) => [field.number, { name, ...field }]));
  const message: Record<string, unknown> = {};
  const cursor = { at: 0 };
  while (cursor.at < bytes.length) {
    const key = readVarint(bytes, cursor);
    const wire = key % 8;
    if (wire !== VARINT && wire !== LENGTH_DELIMITED) throw new Error(`wire type ${wire}`);
    let value: Buffer | number = readVarint(bytes, cursor);
    if (wire === LENGTH_DELIMITED) {
      const end: number = cursor.at + value;
      value = bytes.subarray(cursor.at, end);
      cursor.at = end;
    }
    const field = byNumber.get(Math.floor(key / 8));
    if (field === undefined) continue;
    const decoded = decodeOne(field.kind, value);
    const before = message[field.name];
    if (field.kind === 'map') {
      const entry = decoded as { key?: string; value?: string };
      message[field.name] = { ...(before as object | undefined), [entry.key ?? '']: entry.value ?? '' };
    } else if (field.repeated) message[field.name] = [...((before as unknown[] | undefined) ?? []), decoded];
    else message[field.name] = decoded;
  }
  return message;
}
