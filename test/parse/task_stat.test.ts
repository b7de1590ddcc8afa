import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { ParseError } from '../../src/core/errors.ts';
import { parseTaskStat } from '../../src/parse/task_stat.ts';

const statOf = (pid: number, name: string, state: string, threads: number): string =>
  `${pid} (${name}) ${state} 1 1 1 0 -1 4194560 1 0 0 0 1 1 0 0 20 0 ${threads} 0 412 0 0 18446744073709551615 0 0\n`;

/** As a file is read: into a buffer with what was there before. */
function parse(text: string) {
  const bytes = Buffer.from(text);
  return parseTaskStat(
    Buffer.concat([bytes, Buffer.from(') S 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1')]),
    bytes.length,
  );
}

test('parseTaskStat reads state and threads past any name', () => {
  const printable = fc.string({ unit: 'binary', maxLength: 16 });
  fc.assert(
    fc.property(
      printable,
      fc.constantFrom(...'RSDTtZXIP'),
      fc.integer({ min: 1, max: 1e6 }),
      (name, state, threads) => {
        assert.deepEqual(parse(statOf(5, name, state, threads)), { state: state.charCodeAt(0), threads });
      },
    ),
  );
});

for (const [why, text] of [
  ['an empty file', ''],
  ['a file without a name', '5 S 1 1'],
  ['a truncated file', '5 (sh) S 1 1 1 0 -1'],
  ['a state that is none', statOf(5, 'sh', '', 1)],
  ['threads that are no number', statOf(5, 'sh', 'S', 1).replace(' 20 0 1 ', ' 20 0 x ')],
] as const)
  test(`parseTaskStat refuses ${why}`, () => assert.throws(() => parse(text), ParseError));
