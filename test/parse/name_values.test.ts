import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { nameValueReader } from '../../src/parse/name_values.ts';

const parseLine = (line: string) => {
  const [name = '', value] = line.split(/\s+/);
  return value === undefined ? undefined : { name, value: Number(value) };
};

/** What a reader gives for one text after the other. */
function readAll(texts: readonly string[], told = (_: string): boolean => true): [string, number][][] {
  const read = nameValueReader(parseLine, told);
  return texts.map((text) => {
    const all: [string, number][] = [];
    read(text, (name, value) => all.push([name, value]));
    return all;
  });
}

test('gives the names that are told, and follows lines that move, grow and go', () => {
  assert.deepEqual(
    readAll(['a 1\nb 2\n', 'a 3\nb\t 4\n', 'aa 5\na 6\n', 'b 7\n', 'x\na 8\n'], (name) => name !== 'b'),
    [
      [['a', 1]],
      [['a', 3]],
      [
        ['aa', 5],
        ['a', 6],
      ],
      [],
      [['a', 8]],
    ],
  );
});

test('whatever was read before, a text gives what it gives to a new reader', () => {
  const line = fc.tuple(fc.constantFrom('a', 'aa', 'b', 'a1'), fc.nat(99), fc.constantFrom(' ', '\t', '  '));
  const text = fc.array(line, { maxLength: 4 }).map((all) => all.map(([n, v, gap]) => `${n}${gap}${v}\n`).join(''));
  fc.assert(
    fc.property(fc.array(text, { maxLength: 4 }), (texts) => {
      assert.deepEqual(
        readAll(texts),
        texts.map((each) => readAll([each])[0]),
      );
    }),
  );
});
