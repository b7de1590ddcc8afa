import assert from 'node:assert/strict';
import { test } from 'node:test';
import { inflateRawSync } from 'node:zlib';
import fc from 'fast-check';
import { formatFloat } from '../../src/core/format.ts';
import { Bits, type Numbers, type Part, play, record, type Tape } from '../../src/page/tape.ts';

/** Texts with numbers between them, and where these are. */
function laidOut(texts: readonly string[], numbers: readonly string[], before = '') {
  const starts: number[] = [];
  let page = before;
  for (const [i, text] of texts.entries()) {
    page += text;
    if (i >= numbers.length) continue;
    starts.push(Buffer.byteLength(page));
    page += numbers[i];
  }
  const bytes = Buffer.from(page);
  const part: Part = { from: Buffer.byteLength(before), to: bytes.length, slotFrom: 0, slotTo: numbers.length };
  const where: Numbers = {
    starts: Int32Array.from(starts),
    lengths: Uint8Array.from(numbers, (number) => number.length),
  };
  return { bytes, part, where };
}

/** What was written, as deflate understands it. */
function played(tape: Tape, { bytes, part, where }: ReturnType<typeof laidOut>, bits = new Bits()): Buffer | undefined {
  if (!play(tape, bytes, part, where, bits)) return undefined;
  return inflateRawSync(Buffer.concat([bits.written(), Buffer.from([3, 0])]));
}

const recorded = ({ bytes, part, where }: ReturnType<typeof laidOut>): Tape => record(bytes, part, where);

const number = fc.oneof(fc.double(), fc.integer()).map(formatFloat);
const text = fc.oneof(
  fc.string(),
  fc.string({ unit: 'binary' }),
  fc.constantFrom(
    '\nnode_x{device="eth0"} ',
    '\nnode_x{device="eth1"} ',
    '\n# HELP node_y Y.\n# TYPE node_y gauge\nnode_y ',
  ),
  fc.tuple(fc.string({ minLength: 1, maxLength: 3 }), fc.nat(600)).map(([each, count]) => each.repeat(count)),
);

test('whatever the text and the numbers, then and later, what is played is the part', () => {
  const bits = new Bits();
  const rows = fc.array(fc.tuple(text, number, number), { maxLength: 40 });
  fc.assert(
    fc.property(rows, text, text, (all, last, before) => {
      const texts = [...all.map(([each]) => each), last];
      const [first, second] = [1, 2].map((column) =>
        laidOut(
          texts,
          all.map((row) => row[column] as string),
          before,
        ),
      );
      const tape = recorded(first as ReturnType<typeof laidOut>);
      for (const each of [first, second, first] as ReturnType<typeof laidOut>[])
        assert.ok(played(tape, each, bits)?.equals(each.bytes.subarray(each.part.from)));
    }),
    { numRuns: 400 },
  );
});

test('every byte that UTF-8 has, and lengths and distances of every symbol', () => {
  const characters = Array.from({ length: 0x800 }, (_, i) => String.fromCodePoint(i + 1)).join('');
  const lengths = Array.from({ length: 300 }, (_, i) => `<${'='.repeat(i)}>`).join('');
  const page = laidOut([characters, lengths, characters, lengths], ['1', '22', '333']);
  assert.ok(played(recorded(page), page)?.equals(page.bytes));
});

test('text that repeats itself becomes short, and numbers cost about what their digits do', () => {
  const texts = Array.from({ length: 900 }, (_, i) => `\nnode_network_receive_bytes_total{device="eth${i}"} `);
  const page = laidOut(
    texts,
    texts.map((_, i) => formatFloat(i * 7919)),
  );
  const bits = new Bits();
  assert.ok(played(recorded(page), page, bits)?.equals(page.bytes));
  assert.ok(bits.written().length < page.bytes.length / 6, `${bits.written().length} of ${page.bytes.length}`);
});

test('a match that numbers move out of reach is not played', () => {
  const filling = Array.from({ length: 1500 }, (_, i) => `${(i * 2654435761) % 2 ** 32}`.padStart(12, 'x'));
  const texts = ['a text that comes again', ...filling, 'a text that comes again'];
  const short = laidOut(texts, filling.map(() => '1').concat('1'));
  const long = laidOut(texts, filling.map(() => '1.2345678901234567e+100').concat('1'));
  const tape = recorded(short);
  assert.ok(played(tape, short)?.equals(short.bytes));
  assert.equal(played(tape, long), undefined);
  assert.ok(played(recorded(long), long)?.equals(long.bytes));
});
