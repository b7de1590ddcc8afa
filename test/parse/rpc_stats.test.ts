import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ParseError } from '../../src/core/errors.ts';
import { NFS_METHODS, parseRpcStats } from '../../src/parse/rpc_stats.ts';

const LAYOUTS = {
  net: { kind: 'fixed', count: 2 },
  th: { kind: 'leading', count: 1 },
  ops: { kind: 'counted', least: 2 },
} as const;
const parse = (text: string) => Object.fromEntries(parseRpcStats('x', text, LAYOUTS));

test('parseRpcStats reads each line as its layout says', () => {
  assert.deepEqual(parse('net 1 2\nth 8 0.000 x\nops 3 7 8 9\n'), { net: [1, 2], th: [8], ops: [7, 8, 9] });
});

for (const [why, text] of [
  ['nothing', ''],
  ['an empty line', 'net 1 2\n\n'],
  ['a label without a layout', 'net 1 2\nnew 1\n'],
  ['a label that every object has', 'constructor 1\n'],
  ['too few values', 'net 1\n'],
  ['too many values', 'net 1 2 3\n'],
  ['what is not a number', 'net 1 -2\n'],
  ['a label alone', 'th\n'],
  ['a count that is too high', 'ops 3 7 8\n'],
  ['a count that is too low', 'ops 2 7 8 9\n'],
  ['fewer counted values than there must be', 'ops 1 7\n'],
] as const)
  test(`parseRpcStats refuses ${why}`, () => assert.throws(() => parse(text), ParseError));

test('the protocols have as many procedures as their RFCs', () => {
  assert.equal(NFS_METHODS[2].length, 18);
  assert.equal(NFS_METHODS[3].length, 22);
});
