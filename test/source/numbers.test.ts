import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { Take } from '../../src/core/host.ts';
import { takeAuto, takeHex, takeNumber, takePositive, takeUint } from '../../src/source/numbers.ts';

const into = new Float64Array(3);

/** What is taken of a text that stands in the middle of others; `undefined` where it is refused. */
function taken(take: Take, text: string, after = '\n9'): number | undefined {
  const bytes = Buffer.from(`7 ${text}${after}`, 'latin1');
  into.fill(-77);
  const end = take(bytes, 2, bytes.length, into, 1);
  assert.deepEqual([into[0], into[2]], [-77, -77], 'only its place is written');
  if (end < 0) return undefined;
  assert.equal(end, 2 + text.length, 'it ends where the number ends');
  return into[1];
}

const digits = (max: number): fc.Arbitrary<string> => fc.stringMatching(new RegExp(`^[0-9]{1,${max}}$`));
const sign = fc.constantFrom('', '-', '+');

test('whole numbers are the nearest double, and none beyond 64 bits where there is no sign', () => {
  fc.assert(
    fc.property(
      fc.oneof(digits(20), digits(15), digits(40), fc.bigInt({ min: 0n, max: 2n ** 64n }).map(String)),
      (text) => {
        const value = Number(BigInt(text));
        assert.equal(taken(takeUint, text), value <= 2 ** 64 ? value : undefined);
        assert.equal(taken(takeNumber, text), value);
      },
    ),
    { numRuns: 2000 },
  );
});

test('a number that has to be more than 0 is none where it is 0', () => {
  for (const [text, value] of [
    ['7', 7],
    ['0', undefined],
    ['00', undefined],
    ['x', undefined],
  ] as const)
    assert.equal(taken(takePositive, text), value);
});

test('halves between two doubles are rounded as the platform rounds them', () => {
  fc.assert(
    fc.property(fc.bigInt({ min: 2n ** 53n, max: 2n ** 64n - 1n }), fc.constantFrom(-1n, 0n, 1n), (value, by) => {
      const half = 2n ** BigInt(value.toString(2).length - 54);
      const text = String((value / half) * half + by);
      assert.equal(taken(takeUint, text), Number(text));
    }),
    { numRuns: 2000 },
  );
});

test('decimals are what Number makes of the same text', () => {
  const decimal = fc.oneof(
    fc.tuple(digits(18), digits(18)).map(([a, b]) => `${a}.${b}`),
    fc.tuple(digits(8), digits(7)).map(([a, b]) => `${a}.${b}`),
    digits(17).map((a) => `${a}.`),
    digits(17).map((b) => `.${b}`),
    fc.tuple(digits(4), digits(4), fc.integer({ min: -320, max: 300 })).map(([a, b, e]) => `${a}.${b}e${e}`),
    fc.tuple(digits(4), fc.constantFrom('e5', 'E-5', 'e+05')).map(([a, e]) => a + e),
  );
  fc.assert(
    fc.property(sign, decimal, (before, text) => {
      const found = taken(takeNumber, before + text);
      assert.ok(Object.is(found, Number(before + text)), `${before + text}: ${found}`);
    }),
    { numRuns: 3000 },
  );
});

test('hexadecimal and numbers of any base are the nearest double', () => {
  const word = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n });
  fc.assert(
    fc.property(word, fc.boolean(), fc.nat(16), fc.constantFrom('', '-', '+'), (value, isUpper, width, before) => {
      const plain = value.toString(16);
      const hex = (isUpper ? plain.toUpperCase() : plain).padStart(width, '0');
      const signed = (number: bigint): number => Number(before === '-' ? -number : number);
      assert.equal(taken(takeHex, hex), Number(value));
      // A zero with a sign is a zero.
      const auto = (text: string): number => (taken(takeAuto, before + text) as number) + 0;
      assert.equal(auto(value.toString()), signed(value));
      assert.equal(auto(`0x${hex}`), signed(value));
      assert.equal(auto(`0X${hex}`), signed(value));
      assert.equal(auto(`0${value.toString(8)}`), signed(value));
      assert.equal(auto(`0o${value.toString(8)}`), signed(value));
      assert.equal(auto(`0b${value.toString(2)}`), signed(value));
    }),
    { numRuns: 1000 },
  );
});

for (const [text, expected] of [
  ['inf', Number.POSITIVE_INFINITY],
  ['+Inf', Number.POSITIVE_INFINITY],
  ['-INFINITY', Number.NEGATIVE_INFINITY],
  ['nan', Number.NaN],
  ['NaN', Number.NaN],
  ['-0', -0],
] as const)
  test(`takeNumber takes ${text}`, () => assert.ok(Object.is(taken(takeNumber, text), expected)));

const NONE = [
  '',
  '-',
  '+',
  '.',
  '-.',
  'a',
  '1a',
  '1-',
  '--1',
  '+-1',
  '1,5',
  '1_0',
  '0x',
  '1.2.3',
  'e5',
  '1e',
  '1e+',
  '\u00b5',
];
const REFUSED: Readonly<Record<string, readonly [Take, readonly string[]]>> = {
  takeUint: [takeUint, [...NONE, '-1', '+1', '1.0', 'ff', '0x1', '1e5', 'inf', 'nan', '1.']],
  takeNumber: [takeNumber, [...NONE, 'ff', '0x1', 'infinit', 'infinityy', 'nanx', '+nan', '-NaN', '.e5', '1e5.0']],
  takeHex: [takeHex, ['', 'g', '-1', '+f', '0x1', '1.0', 'fg', '0123456789abcdef0']],
  takeAuto: [
    takeAuto,
    [...NONE, '08', '0b2', '0o8', '0x', '0xg', '-0x', '0b', '0o', '1.5', 'ff', '1e5', 'inf', '0x+1', '--0x1'],
  ],
};
for (const [name, [take, texts]] of Object.entries(REFUSED))
  for (const text of texts)
    test(`${name} refuses ${JSON.stringify(text)}`, () => {
      for (const after of ['', ' ', '\n', '\t1', '\r\n']) assert.equal(taken(take, text, after), undefined);
    });

test('a number ends at a blank, at the end of the line and at the end of what was read', () => {
  for (const [take, text] of [
    [takeUint, '12'],
    [takeNumber, '-1.5'],
    [takeNumber, 'inf'],
    [takeHex, 'fF'],
    [takeAuto, '017'],
  ] as const)
    for (const after of ['', ' ', '\t', '\r', '\v', '\f', '\n', ' 3'])
      assert.notEqual(taken(take, text, after), undefined);
  // What is in the buffer behind what was read is from another read.
  const bytes = Buffer.from('123456');
  for (const take of [takeUint, takeNumber, takeHex, takeAuto]) assert.equal(take(bytes, 0, 3, into, 1), 3);
  assert.equal(takeUint(bytes, 3, 3, into, 1), -1);
});
