import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { LimitError, ParseError } from '../../src/core/errors.ts';
import {
  encodeCall,
  messageBytes,
  parseMessage,
  parseRows,
  parseText,
  parseVariant,
} from '../../src/daemon/dbus_message.ts';
import { type Body, message, rows, type Value, values, variant } from '../helpers/bus.ts';

const HEAD = { type: 2, replySerial: 7 };
const parsedOf = (body: Body) => parseMessage(message(HEAD, body));

test('a call is laid out as the specification says', () => {
  const call = { destination: 'a.b', path: '/c', interface: 'd.e', member: 'F', args: ['gh'] };
  const bytes = encodeCall(7, call);
  assert.deepEqual(bytes.toString('hex').match(/.{1,32}/g), [
    // Little-endian, a call, no flags, version 1; 7 bytes of body, serial 7, 71 bytes of fields.
    '6c010001070000000700000047000000',
    // 1: object path, 2: interface, 3: member, 6: destination, each at a multiple of eight.
    '01016f00020000002f63000000000000',
    '0201730003000000642e650000000000',
    '03017300010000004600000000000000',
    '0601730003000000612e620000000000',
    // 8: signature; then the body.
    '080167000173000002000000676800',
  ]);
  assert.equal(messageBytes(bytes), bytes.length);
  assert.deepEqual(parseMessage(bytes).signature, 's');
  assert.equal(parseText(parseMessage(bytes)), 'gh');
});

for (const [type, value, expected] of [
  ['s', 'simple', 'simple'],
  ['s', '', ''],
  ['s', 'ä\\x2d', 'ä\\x2d'],
  ['o', '/org/x', '/org/x'],
  ['g', 'as', 'as'],
  ['b', true, true],
  ['b', false, false],
  ['y', 255, 255],
  ['u', 4_294_967_295, 4_294_967_295],
  ['i', -1, -1],
  ['t', 1_700_000_000_123_456n, 1_700_000_000_123_456],
  ['t', 2n ** 64n - 1n, 2 ** 64],
] as const)
  test(`a variant of type '${type}' that holds ${JSON.stringify(String(value))}`, () => {
    assert.equal(parseVariant(parsedOf(variant(type, value))), expected);
  });

test('rows come in order, with the padding between them', () => {
  const all = [
    ['a', 1, '/b'],
    ['', 2, '/'],
    ['cde', 3, '/fg'],
  ];
  assert.deepEqual(parseRows(parsedOf(rows('suo', all)), 'suo'), all);
  assert.deepEqual(parseRows(parsedOf(rows('suo', [])), 'suo'), []);
});

test('an error has a name, and a text if it likes', () => {
  const error = { ...HEAD, type: 3, errorName: 'a.b.Error' };
  assert.equal(parseMessage(message(error, values('s', 'no'))).errorName, 'a.b.Error');
  assert.equal(parseText(parseMessage(message(error, values('s', 'no')))), 'no');
  assert.equal(parseText(parseMessage(message(error, values('u', 1)))), '');
});

/** An array of empty structures: it never ends for who reads one after another until its bytes are used up. */
const EMPTY_STRUCTURES: Body = { signature: 'a()', bytes: Buffer.from('08000000000000000000000000000000', 'hex') };

for (const [why, read] of [
  ['another signature', () => parseVariant(parsedOf(values('s', 'x')))],
  ['empty structures', () => parseRows(parsedOf(EMPTY_STRUCTURES), 's')],
  ['a variant that holds a variant', () => parseVariant(parsedOf({ signature: 'v', bytes: Buffer.from([1, 118, 0]) }))],
  ['a variant of two', () => parseVariant(parsedOf({ signature: 'v', bytes: Buffer.from([2, 115, 115, 0]) }))],
  [
    'a text longer than the message',
    () => parseText(parsedOf({ signature: 's', bytes: Buffer.from('ffffff7f61', 'hex') })),
  ],
  ['a text without its zero', () => parseText(parsedOf({ signature: 's', bytes: Buffer.from('0100000061ff', 'hex') }))],
  [
    'an array longer than the message',
    () => parseRows(parsedOf({ signature: 'a(s)', bytes: Buffer.from('ffffffff00000000', 'hex') }), 's'),
  ],
  [
    'an array that ends within a row',
    () =>
      parseRows(
        parsedOf({
          ...rows('s', [['abc']]),
          bytes: Buffer.concat([Buffer.from([1, 0, 0, 0, 0, 0, 0, 0]), rows('s', [['abc']]).bytes.subarray(8)]),
        }),
        's',
      ),
  ],
  ['a head in big-endian order', () => messageBytes(Buffer.from('42020001000000000000000100000000', 'hex'))],
  ['a head of another version', () => messageBytes(Buffer.from('6c020002000000000000000100000000', 'hex'))],
] as const)
  test(`${why} is refused`, () => assert.throws(read, ParseError));

test('a message of gigabytes is refused', () => {
  assert.throws(() => messageBytes(Buffer.from('6c020001ffffffff0000000100000000', 'hex')), LimitError);
});

test('a fault says where', () => {
  assert.throws(
    () => parseVariant(parsedOf({ signature: 'v', bytes: Buffer.from([1, 117, 0, 0, 1]) })),
    /at byte \d+ of \d+/,
  );
});

/** Whatever the bytes are, they are read or refused, and nothing else happens. */
function assertReadOrRefused(read: () => unknown): void {
  try {
    read();
  } catch (error) {
    assert.ok(error instanceof ParseError || error instanceof LimitError, String((error as Error).stack));
  }
}

const texts = fc.string({ unit: 'binary', maxLength: 40 }).map((text) => text.replaceAll('\0', '0'));
const unit = fc.tuple(texts, fc.nat(), texts);

test('what is written can be read', () => {
  fc.assert(
    fc.property(fc.array(unit, { maxLength: 20 }), (all) => {
      const wellFormed = all.map((row) => row.map((each) => (typeof each === 'string' ? each.toWellFormed() : each)));
      assert.deepEqual(parseRows(parsedOf(rows('sus', wellFormed as Value[][])), 'sus'), wellFormed);
    }),
  );
});

test('whatever is cut off or flipped is refused with its place', () => {
  const whole = message(
    HEAD,
    rows('sus', [
      ['abc', 1, 'def'],
      ['', 2, 'ghi'],
    ]),
  );
  fc.assert(
    fc.property(fc.nat(whole.length), fc.nat(whole.length - 1), fc.integer({ min: 1, max: 255 }), (end, at, bits) => {
      const bytes = Buffer.from(whole);
      bytes[at] = (bytes[at] as number) ^ bits;
      const cut = bytes.subarray(0, end);
      assertReadOrRefused(() => {
        const size = messageBytes(cut);
        if (size === undefined || size > cut.length) return;
        const parsed = parseMessage(cut.subarray(0, size));
        parseText(parsed);
        parseRows(parsed, 'sus');
      });
    }),
    { numRuns: 2000 },
  );
});

test('whatever comes instead of a message is read or refused', () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 16, maxLength: 200 }), fc.boolean(), (random, plausible) => {
      const bytes = Buffer.from(random);
      if (plausible) {
        bytes.set([0x6c, 2, 0, 1]);
        bytes.writeUInt32LE(bytes.readUInt32LE(12) % bytes.length, 12);
        bytes.writeUInt32LE(bytes.readUInt32LE(4) % bytes.length, 4);
      }
      assertReadOrRefused(() => {
        const size = messageBytes(bytes);
        if (size === undefined || size > bytes.length) return;
        const parsed = parseMessage(bytes.subarray(0, size));
        for (const read of [parseVariant, parseText]) assertReadOrRefused(() => read(parsed));
        assertReadOrRefused(() => parseRows({ ...parsed, signature: 'a(suo)' }, 'suo'));
      });
    }),
    { numRuns: 2000 },
  );
});
