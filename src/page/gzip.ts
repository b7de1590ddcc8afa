import { constants, crc32, createDeflateRaw, deflateRawSync } from 'node:zlib';
import type { Segment } from './page.ts';
import { Bits, type Numbers, play, record, TAPE_BYTES_MAX, type Tape } from './tape.ts';

/** Compresses `from` to `to` of `bytes` so that what follows needs nothing of it. The answer holds until the next call. */
type Deflate = (bytes: Buffer, from: number, to: number) => Buffer;

// A page is text that repeats itself: more effort makes it hardly smaller.
const LEVEL = 1;

interface ZlibHandle {
  reset(): void;
  writeSync(flush: number, from: Buffer, at: number, length: number, into: Buffer, intoAt: number, room: number): void;
}

/**
 * One stream for all: making one costs more than compressing many a page does. It is reached through what Node keeps for
 * itself; where that is not as expected, a stream is made for each call.
 */
function createDeflate(): Deflate {
  const { _handle: handle, _writeState: state } = createDeflateRaw({ level: LEVEL }) as unknown as {
    readonly _handle?: Partial<ZlibHandle>;
    readonly _writeState?: Uint32Array;
  };
  if (typeof handle?.writeSync !== 'function' || typeof handle.reset !== 'function' || state === undefined)
    return (bytes, from, to) =>
      deflateRawSync(bytes.subarray(from, to), { level: LEVEL, finishFlush: constants.Z_SYNC_FLUSH });
  const { reset, writeSync } = handle as ZlibHandle;
  let into = Buffer.allocUnsafeSlow(16 << 10);
  return (bytes, from, to) => {
    const length = to - from;
    const room = length + (length >> 2) + 64;
    if (into.length < room) into = Buffer.allocUnsafeSlow(room);
    reset.call(handle);
    writeSync.call(handle, constants.Z_SYNC_FLUSH, bytes, from, length, into, 0, into.length);
    return into.subarray(0, into.length - (state[0] as number));
  };
}

/** RFC 1952: magic, deflate, no name, no time, fastest, unknown system. */
const HEAD = Buffer.from([0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 4, 255]);
/** The last block of deflate, which is empty. */
const LAST = Buffer.from([3, 0]);
const TRAILER_BYTES = 8;

/** How often a layout has to be compressed before it gets a tape, which costs as much as it saves in so many times. */
const TAPE_FROM = 64;

interface Packed {
  version: number;
  layout: number;
  /** How often it was compressed by this layout. */
  count: number;
  tape: Tape | undefined;
  bytes: Buffer;
  length: number;
}

export interface PackedText {
  readonly text: Buffer;
  readonly segments: readonly Segment[];
  readonly numbers: Numbers;
}

export interface Packer {
  /**
   * The page as gzip. Segments that are as they were are taken as they were compressed. Holds until the next call.
   * `pause` is asked between segments: a promise lets others run.
   */
  pack(page: PackedText, pause: () => Promise<void> | undefined): Buffer | Promise<Buffer>;
}

export interface PackerOptions {
  readonly deflate?: Deflate;
  readonly bits?: Bits;
  readonly tapeFrom?: number;
}

/** For one page, as long as it lives. */
export function createPacker({
  deflate = createDeflate(),
  bits = new Bits(),
  tapeFrom = TAPE_FROM,
}: PackerOptions = {}): Packer {
  const packed: Packed[] = [];
  let whole = Buffer.allocUnsafeSlow(0);
  let hasRecorded = false;

  const compress = (held: Packed, { text, numbers }: PackedText, segment: Segment): Buffer => {
    const { from, to, layout } = segment;
    if (held.layout !== layout) Object.assign(held, { layout, count: 0, tape: undefined });
    held.count += 1;
    // One in a scrape: it takes some milliseconds.
    if (held.tape === undefined && held.count >= tapeFrom && to - from <= TAPE_BYTES_MAX && !hasRecorded) {
      held.tape = record(text, segment, numbers);
      hasRecorded = true;
    }
    if (held.tape !== undefined && play(held.tape, text, segment, numbers, bits)) return bits.written();
    // Its numbers are too long for the tape that it has: another one is made when that has been worth it again.
    if (held.tape !== undefined) Object.assign(held, { count: 0, tape: undefined });
    return deflate(text, from, to);
  };

  const refresh = (page: PackedText, segment: Segment, i: number): void => {
    const held = packed[i] ?? {
      version: -1,
      layout: -1,
      count: 0,
      tape: undefined,
      bytes: Buffer.allocUnsafeSlow(0),
      length: 0,
    };
    packed[i] = held;
    if (held.version === segment.version) return;
    const bytes = compress(held, page, segment);
    if (held.bytes.length < bytes.length) held.bytes = Buffer.allocUnsafeSlow(bytes.length + (bytes.length >> 3));
    bytes.copy(held.bytes);
    held.length = bytes.length;
    held.version = segment.version;
  };

  const join = (text: Buffer): Buffer => {
    let length = HEAD.length + LAST.length + TRAILER_BYTES;
    for (const each of packed) length += each.length;
    if (whole.length < length) whole = Buffer.allocUnsafeSlow(length + (length >> 3));
    let at = HEAD.copy(whole);
    for (const { bytes, length: own } of packed) at += bytes.copy(whole, at, 0, own);
    at += LAST.copy(whole, at);
    at = whole.writeUInt32LE(crc32(text), at);
    at = whole.writeUInt32LE(text.length % 2 ** 32, at);
    return whole.subarray(0, at);
  };

  const later = async (
    page: PackedText,
    first: number,
    wait: Promise<void>,
    pause: () => Promise<void> | undefined,
  ): Promise<Buffer> => {
    await wait;
    for (let i = first; i < page.segments.length; i += 1) {
      refresh(page, page.segments[i] as Segment, i);
      await pause();
    }
    return join(page.text);
  };

  return {
    pack(page, pause) {
      const { segments, text } = page;
      packed.length = Math.min(packed.length, segments.length);
      hasRecorded = false;
      for (const [i, segment] of segments.entries()) {
        refresh(page, segment, i);
        const wait = i + 1 < segments.length ? pause() : undefined;
        if (wait !== undefined) return later(page, i + 1, wait, pause);
      }
      return join(text);
    },
  };
}

/** One deflate stream for the packers of all pages. */
export const createPackers = (options: PackerOptions = {}): (() => Packer) => {
  const shared = { deflate: createDeflate(), bits: new Bits(), ...options };
  return () => createPacker(shared);
};
