import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { Block } from '../../src/core/block.ts';
import { ParseError } from '../../src/core/errors.ts';
import { gauge } from '../../src/core/metric.ts';
import type { Message, MessageLayout } from '../../src/core/network.ts';
import { Samples } from '../../src/core/samples.ts';
import type { LayoutWriter } from '../../src/core/writer.ts';
import { createMessages } from '../../src/netlink/messages.ts';
import { createSource } from '../../src/source/source.ts';
import { createMemory } from '../helpers/memory.ts';
import { type Attribute, attributes, kernelOf, u32s, u64s } from '../helpers/netlink.ts';
import { never, type Ran, runner } from '../helpers/table.ts';

const value = gauge('node_value', 'V.', 'name', 'what');
const HEAD_BYTES = 8;
const REQUEST = { type: 100, reply: 101, body: new Uint8Array(HEAD_BYTES) } as const;

/** A table of messages from a kernel in memory; `scrape` follows what was laid out, `fresh` lays it out in another process. */
function tableOf(layout: MessageLayout) {
  let bodies: readonly Uint8Array[] | number = [];
  let asked = 0;
  const netlink = kernelOf(() => {
    asked += 1;
    return typeof bodies === 'number' ? bodies : bodies.map((body) => [REQUEST.reply, body] as const);
  });
  const prepare = () => {
    const { clock } = createSource({ disk: createMemory() });
    const messages = createMessages(clock, HEAD_BYTES, () => [netlink, REQUEST]);
    const table = messages.table(layout);
    const scrape = runner(table);
    return {
      clock,
      messages,
      table,
      scrape: (): Ran => {
        clock.begin();
        return scrape();
      },
    };
  };
  const lived = prepare();
  return {
    ...lived,
    fresh: (): Ran => prepare().scrape(),
    layouts: (): number => lived.clock.layouts,
    asked: (): number => asked,
    answer: (next: readonly Uint8Array[] | number): void => {
      bodies = next;
    },
  };
}

function message(index: number, flags: number, ...all: readonly Attribute[]): Buffer {
  const head = Buffer.alloc(HEAD_BYTES);
  head.writeUInt32LE(index, 0);
  head.writeUInt16LE(flags, 4);
  return Buffer.concat([head, attributes(...all)]);
}

const NAME = 3;
/** What there is to look at in a message, each by itself. */
const LOOKS: Readonly<Record<string, (message: Message, out: LayoutWriter, name: string) => void>> = {
  'a number of the head': (each, out, name) => out.sample(value, each.head(4, 2), name, 'flags'),
  'a word of the head': (each, out, name) => out.sample(value, each.headWord(0), name, 'index'),
  'small numbers': (each, out, name) => out.sample(value, each.u8(1), name, 'u8'),
  numbers: (each, out, name) => out.sample(value, each.u32(2)?.times(8), name, 'u32'),
  counters: (each, out, name) => {
    const [a, b] = [each.u64At(4, 0), each.u64At(4, 1)];
    if (a !== undefined && b !== undefined) out.sample(value, a.plus(b), name, 'u64');
    out.sample(value, each.u32At(4, 2), name, 'third');
  },
  words: (each, out, name) => out.sample(value, 1, name, `${each.u8Word(1)} ${each.u32Word(2)}`),
  bytes: (each, out, name) => out.sample(value, 1, name, each.bytes(5)?.toString('hex') ?? 'no bytes'),
  'what only one of its kind refuses': (each) => {
    if (each.u32Word(2) === 7) throw new ParseError('seven', '7');
  },
};

const attribute: fc.Arbitrary<Attribute> = fc.oneof(
  fc.nat(255).map((u8): Attribute => [1, { u8 }]),
  fc.constantFrom(7, 8, 2 ** 32 - 1).map((u32): Attribute => [2, { u32 }]),
  fc.constantFrom('a', 'b', 'ä', 'longer name').map((name): Attribute => [NAME, name]),
  fc.array(fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }), { maxLength: 3 }).map((all): Attribute => [4, u64s(...all)]),
  fc.array(fc.nat(9), { maxLength: 4 }).map((all): Attribute => [4, u32s(...all)]),
  fc.uint8Array({ maxLength: 7 }).map((bytes): Attribute => [5, bytes]),
);
const body = fc
  .tuple(fc.nat(3), fc.nat(3), fc.array(attribute, { maxLength: 5 }))
  .map(([index, flags, all]) => message(index, flags, ...all));
type Dump = readonly Uint8Array[];
/** A dump that comes from the one before: things change, come, go and are mixed up, and bytes are spoilt. */
const edit: fc.Arbitrary<(dump: Dump) => Dump> = fc
  .record({ kind: fc.nat(6), place: fc.nat(5), byte: fc.nat(60), by: fc.integer({ min: 1, max: 255 }), other: body })
  .map(({ kind, place, byte, by, other }) => (dump: Dump): Dump => {
    const at = dump.length === 0 ? 0 : place % dump.length;
    if (kind === 0) return [...dump.slice(0, at), other, ...dump.slice(at)];
    if (kind === 1) return dump.filter((_, i) => i !== at);
    if (kind === 2) return [...dump.slice(at), ...dump.slice(0, at)];
    if (kind === 3) return [...dump].reverse();
    return dump.map((each, i) => {
      if (i !== at) return each;
      if (kind === 4) return each.subarray(0, Math.max(0, each.length - (by % 12)));
      const bytes = Uint8Array.from(each);
      if (bytes.length > 0) bytes[byte % bytes.length] = ((bytes[byte % bytes.length] as number) + by) & 255;
      return bytes;
    });
  });

/** Where a message stood is as it was when it was laid out. */
const plainly = (ran: Ran): Ran => ({ ...ran, faults: ran.faults.map((fault) => fault.replace(/ at byte \d+/, '')) });

test('messages that are followed equal new ones, whatever becomes of them', () => {
  const looks = fc.subarray(Object.keys(LOOKS), { minLength: 1 });
  fc.assert(
    fc.property(looks, fc.array(body, { maxLength: 4 }), fc.array(edit, { maxLength: 8 }), (chosen, first, edits) => {
      const table = tableOf((each, out) => {
        const name = each.text(NAME) ?? 'none';
        for (const look of chosen) LOOKS[look]?.(each, out, name);
      });
      let dump: Dump = first;
      for (const change of [(same: Dump): Dump => same, ...edits]) {
        dump = change(dump);
        table.answer(dump);
        assert.deepEqual(plainly(table.scrape()), plainly(table.fresh()));
      }
    }),
    { numRuns: 1500 },
  );
});

const named: MessageLayout = (each, out) => out.sample(value, each.u32(2), each.text(NAME) ?? '', 'x');
const one = (name: string, u32: number): Buffer => message(1, 0, [NAME, name], [2, { u32 }]);

test('only the message that is another is laid out, wherever the others are now', () => {
  const table = tableOf(named);
  table.answer([one('a', 1), one('b', 2), one('c', 3)]);
  table.scrape();
  assert.equal(table.layouts(), 3);
  table.answer([one('a', 4), one('b', 5), one('c', 6)]);
  table.scrape();
  table.answer([one('c', 7), one('a', 8)]);
  assert.deepEqual(table.scrape().text.match(/^node.*/gm), [
    'node_value{name="a",what="x"} 8',
    'node_value{name="c",what="x"} 7',
  ]);
  assert.equal(table.layouts(), 3);
  table.answer([one('c', 7), one('d', 9), one('a', 8)]);
  assert.match(table.scrape().text, /name="d",what="x"} 9/);
  assert.equal(table.layouts(), 4);
});

test('the kernel is asked once in a scrape, whoever wants to know', () => {
  const table = tableOf(named);
  table.answer([one('a', 1)]);
  table.scrape();
  let seen = 0;
  table.messages.each((view, start) => {
    seen = view.getUint32(start, true);
  });
  assert.deepEqual([seen, table.asked()], [1, 1]);
  table.scrape();
  assert.equal(table.asked(), 2);
});

test('what the kernel refuses is thrown, and what it says afterwards is new', () => {
  const table = tableOf(named);
  table.answer([one('a', 1)]);
  table.scrape();
  table.answer(19);
  assert.match(table.scrape().thrown ?? '', /ENODEV/);
  assert.equal(table.scrape().text, '');
  table.answer([one('b', 1)]);
  assert.deepEqual(table.scrape(), table.fresh());
});

test('a table that was told to forget lays out everything again', () => {
  const table = tableOf(named);
  table.answer([one('a', 1), one('b', 2)]);
  table.scrape();
  table.table.forget();
  assert.deepEqual(table.scrape(), table.fresh());
  assert.equal(table.layouts(), 4);
});

test('a dump of many messages comes whole', () => {
  const table = tableOf(named);
  const names = Array.from({ length: 300 }, (_, i) => `device-${i}`);
  for (const by of [1, 2]) {
    table.answer(names.map((name, i) => one(name, i * by)));
    assert.equal(table.scrape().text.match(/^node/gm)?.length, 300);
    assert.deepEqual(table.scrape(), table.fresh());
  }
});

test('a file beside a message is looked at again when devices came or went', () => {
  const disk = createMemory({ '/sys/alias': 'first' });
  let events = 0;
  const source = createSource({ disk, now: () => 0, events: () => events });
  const file = source.openTree('/sys').file('alias');
  const netlink = kernelOf(() => [[REQUEST.reply, one('a', 1)]]);
  const scrape = runner(
    createMessages(source.clock, HEAD_BYTES, () => [netlink, REQUEST]).table((each, out) =>
      out.sample(value, each.u32(2), each.text(NAME) ?? '', each.fixed(file) ?? 'none'),
    ),
  );
  const seen = (): string | undefined => {
    source.clock.begin();
    return /what="(.*)"/.exec(scrape().text)?.[1];
  };
  assert.equal(seen(), 'first');
  disk.write('/sys/alias', 'second');
  assert.equal(seen(), 'first');
  events += 1;
  assert.equal(seen(), 'second');
  disk.remove('/sys/alias');
  events += 1;
  assert.equal(seen(), 'none');
});

test('a look that finds the same leaves the page as it is, also where a file refuses each time', () => {
  const disk = createMemory({ '/sys/speed': '', '/sys/alias': 'one' });
  disk.refuse('/sys/speed', 'EINVAL');
  let events = 0;
  const source = createSource({ disk, now: () => 0, events: () => events });
  const files = ['speed', 'alias'].map((name) => source.openTree('/sys').passing(name));
  const netlink = kernelOf(() => [
    [REQUEST.reply, one('a', events)],
    [REQUEST.reply, one('b', 2)],
  ]);
  const table = createMessages(source.clock, HEAD_BYTES, () => [netlink, REQUEST]).table((each, out) =>
    out.sample(value, each.u32(2), each.text(NAME) ?? '', files.map((file) => each.fixed(file) ?? 'none').join(' ')),
  );
  const samples = new Samples();
  const seen = (): [structure: number, first: number] => {
    events += 1;
    source.clock.begin();
    samples.begin();
    table(samples, never);
    samples.close();
    const { structure, values } = samples.blocks.find(({ count }) => count > 0) as Block;
    return [structure, values[0] as number];
  };
  const [first] = seen();
  assert.deepEqual(seen(), [first, 2]);
  disk.refuse('/sys/speed', 'EACCES');
  assert.deepEqual(seen(), [first, 3]);
  disk.write('/sys/alias', 'two');
  const [other] = seen();
  assert.equal(other, first + 1);
  assert.deepEqual(seen(), [other, 5]);
});
