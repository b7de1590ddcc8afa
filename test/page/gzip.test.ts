import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { syncBuiltinESMExports } from 'node:module';
import { test } from 'node:test';
import zlib, { constants, deflateRawSync, gunzipSync } from 'node:zlib';
import { createPacker, createPackers, type PackedText } from '../../src/page/gzip.ts';
import type { Segment } from '../../src/page/page.ts';

const PAGE = Buffer.from(Array.from({ length: 9000 }, (_, i) => `node_x{device="${i}"} ${i * 7}\n`).join(''));
const cut = (page: Buffer, ...at: number[]): Segment[] =>
  [0, ...at].map((from, i) => ({ from, to: at[i] ?? page.length, slotFrom: 0, slotTo: 0, version: i + 1, layout: i }));
const now = (): undefined => undefined;
/** A page whose numbers are like any other text. */
const paged = (text: Buffer, segments: readonly Segment[]): PackedText => ({
  text,
  segments,
  numbers: { starts: new Int32Array(0), lengths: new Uint8Array(0) },
});

/** Counts what is compressed. */
function counting() {
  const calls: [from: number, to: number][] = [];
  const packer = createPacker({
    deflate(bytes, from, to) {
      calls.push([from, to]);
      return deflateRawSync(bytes.subarray(from, to), { finishFlush: constants.Z_SYNC_FLUSH });
    },
  });
  return { packer, calls };
}

test('the pieces of a page are one gzip file, for everybody', () => {
  const packed = createPackers()().pack(paged(PAGE, cut(PAGE, 100, 40_000, 100_000)), now) as Buffer;
  assert.ok(gunzipSync(packed).equals(PAGE));
  const out = execFileSync('gzip', ['-dc'], { input: packed, maxBuffer: 1 << 24 });
  assert.ok(out.equals(PAGE));
  assert.ok(packed.length < PAGE.length / 3);
});

test('nothing is a gzip file too', () => {
  assert.equal(gunzipSync(createPackers()().pack(paged(Buffer.alloc(0), []), now) as Buffer).length, 0);
});

test('segments that are as they were are not compressed again, wherever they are', () => {
  const { packer, calls } = counting();
  const segments = cut(PAGE, 1000, 50_000);
  packer.pack(paged(PAGE, segments), now);
  assert.equal(calls.length, 3);
  packer.pack(paged(PAGE, segments), now);
  assert.equal(calls.length, 3);
  // The second grows by a byte, so that the third moves.
  const longer = Buffer.concat([PAGE.subarray(0, 2000), Buffer.from('7'), PAGE.subarray(2000)]);
  const [first, second, third] = cut(longer, 1000, 50_001) as [Segment, Segment, Segment];
  second.version = 77;
  const packed = packer.pack(paged(longer, [first, second, third]), now) as Buffer;
  assert.deepEqual(calls.slice(3), [[1000, 50_001]]);
  assert.ok(gunzipSync(packed).equals(longer));
});

test('a page that has fewer segments than before, and more again', () => {
  const { packer, calls } = counting();
  packer.pack(paged(PAGE, cut(PAGE, 1000, 50_000)), now);
  const small = PAGE.subarray(0, 1000);
  assert.ok(gunzipSync(packer.pack(paged(small, cut(small)), now) as Buffer).equals(small));
  assert.equal(calls.length, 3);
  assert.ok(gunzipSync(packer.pack(paged(PAGE, cut(PAGE, 1000, 50_000)), now) as Buffer).equals(PAGE));
  assert.equal(calls.length, 5, 'what was forgotten is compressed again');
});

test('packers share one stream, and nothing of one page is in another', () => {
  const make = createPackers();
  const [a, b] = [make(), make()];
  const other = Buffer.from(PAGE.toString().replaceAll('node_x', 'node_other'));
  for (let i = 0; i < 3; i += 1) {
    const segments = cut(PAGE, 40_000 + i).map((each) => ({ ...each, version: each.version + 10 * i }));
    const packed = Buffer.from(a.pack(paged(PAGE, segments), now) as Buffer);
    assert.ok(gunzipSync(b.pack(paged(other, cut(other, 70_000 + i)), now) as Buffer).length > 0);
    assert.ok(gunzipSync(packed).equals(PAGE));
  }
});

test('a large page lets others run between its segments', async () => {
  const make = createPackers();
  const segments = cut(PAGE, 1000, 50_000, 60_000);
  let pauses = 0;
  const pause = (): Promise<void> => {
    pauses += 1;
    return new Promise((resolve) => setImmediate(resolve));
  };
  const work = make().pack(paged(PAGE, segments), pause);
  assert.ok(work instanceof Promise);
  assert.equal(pauses, 1, 'before the first is done nobody has to wait');
  assert.ok(gunzipSync(await work).equals(PAGE));
  assert.ok(pauses >= 3);
  let asked = 0;
  const once = (): Promise<void> | undefined => (asked++ === 1 ? pause() : undefined);
  assert.ok(gunzipSync(await make().pack(paged(PAGE, segments), once)).equals(PAGE));
});

for (const [what, stream] of [
  ['no handle', {}],
  ['another handle', { _handle: { reset() {} }, _writeState: new Uint32Array(2) }],
  ['no state', { _handle: { reset() {}, writeSync() {} } }],
] as const)
  test(`where the runtime keeps ${what} for itself the page is the same`, (t) => {
    t.after(syncBuiltinESMExports);
    t.mock.method(zlib, 'createDeflateRaw', () => stream);
    syncBuiltinESMExports();
    const packer = createPackers()();
    for (const segments of [cut(PAGE, 1000, 50_000), cut(PAGE, 1000, 60_000)])
      assert.ok(gunzipSync(packer.pack(paged(PAGE, segments), now) as Buffer).length > 0);
    assert.ok(gunzipSync(createPackers()().pack(paged(PAGE, cut(PAGE, 1000, 50_000)), now) as Buffer).equals(PAGE));
  });

test('a layout that lasts gets a tape, one in a scrape, unless it is too large', () => {
  const calls: [from: number, to: number][] = [];
  const packer = createPacker({
    tapeFrom: 2,
    deflate(bytes, from, to) {
      calls.push([from, to]);
      return deflateRawSync(bytes.subarray(from, to), { finishFlush: constants.Z_SYNC_FLUSH });
    },
  });
  const segments = cut(PAGE, 1000, 50_000);
  const deflated: number[][] = [];
  for (let scrape = 0; scrape < 5; scrape += 1) {
    for (const segment of segments) segment.version += 10;
    assert.ok(gunzipSync(packer.pack(paged(PAGE, segments), now) as Buffer).equals(PAGE));
    deflated.push(calls.splice(0).map(([from]) => from));
  }
  const large = PAGE.length - 50_000;
  assert.ok(large > 64 << 10);
  assert.deepEqual(deflated, [[0, 1000, 50_000], [1000, 50_000], [50_000], [50_000], [50_000]]);
  const [first] = segments as [Segment];
  segments[0] = { ...first, layout: 99, version: 99 };
  packer.pack(paged(PAGE, segments), now);
  assert.deepEqual(calls, [[0, 1000]], 'another layout begins anew');
});
