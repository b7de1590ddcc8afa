import { constants, crc32, createDeflateRaw, deflateRawSync } from 'node:zlib';
import type { Segment } from './page.ts';

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

interface Packed {
  version: number;
  bytes: Buffer;
  length: number;
}

export interface Packer {
  /**
   * The page as gzip. Segments that are as they were are taken as they were compressed. Holds until the next call.
   * `pause` is asked between segments: a promise lets others run.
   */
  pack(page: Buffer, segments: readonly Segment[], pause: () => Promise<void> | undefined): Buffer | Promise<Buffer>;
}

/** For one page, as long as it lives. */
export function createPacker(deflate: Deflate = createDeflate()): Packer {
  const packed: Packed[] = [];
  let whole = Buffer.allocUnsafeSlow(0);

  const refresh = (page: Buffer, { from, to, version }: Segment, i: number): void => {
    const held = packed[i] ?? { version: -1, bytes: Buffer.allocUnsafeSlow(0), length: 0 };
    packed[i] = held;
    if (held.version === version) return;
    const bytes = deflate(page, from, to);
    if (held.bytes.length < bytes.length) held.bytes = Buffer.allocUnsafeSlow(bytes.length + (bytes.length >> 3));
    bytes.copy(held.bytes);
    held.length = bytes.length;
    held.version = version;
  };

  const join = (page: Buffer): Buffer => {
    let length = HEAD.length + LAST.length + TRAILER_BYTES;
    for (const each of packed) length += each.length;
    if (whole.length < length) whole = Buffer.allocUnsafeSlow(length + (length >> 3));
    let at = HEAD.copy(whole);
    for (const { bytes, length: own } of packed) at += bytes.copy(whole, at, 0, own);
    at += LAST.copy(whole, at);
    at = whole.writeUInt32LE(crc32(page), at);
    at = whole.writeUInt32LE(page.length % 2 ** 32, at);
    return whole.subarray(0, at);
  };

  const later = async (
    page: Buffer,
    segments: readonly Segment[],
    first: number,
    wait: Promise<void>,
    pause: () => Promise<void> | undefined,
  ): Promise<Buffer> => {
    await wait;
    for (let i = first; i < segments.length; i += 1) {
      refresh(page, segments[i] as Segment, i);
      await pause();
    }
    return join(page);
  };

  return {
    pack(page, segments, pause) {
      packed.length = Math.min(packed.length, segments.length);
      for (const [i, segment] of segments.entries()) {
        refresh(page, segment, i);
        const wait = i + 1 < segments.length ? pause() : undefined;
        if (wait !== undefined) return later(page, segments, i + 1, wait, pause);
      }
      return join(page);
    },
  };
}

/** One deflate stream for the packers of all pages. */
export const createPackers = (): (() => Packer) => {
  const deflate = createDeflate();
  return () => createPacker(deflate);
};
