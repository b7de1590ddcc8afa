import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import * as errors from '../../src/core/errors.ts';

type ErrorClass = new (...texts: string[]) => errors.ExporterError;
const exported: readonly unknown[] = Object.values(errors);
const classes = exported.filter(
  (each): each is ErrorClass => typeof each === 'function' && each.prototype instanceof errors.ExporterError,
);
const rows = readFileSync(new URL('../../docs/errors.md', import.meta.url), 'utf8').matchAll(
  /^\| `(\w+)` \| `(\w+)` \|/gm,
);

test('docs/errors.md lists every class of error with its code, and no other', () => {
  const declared = classes.map((each) => {
    const { code, name } = new each('file', 'line');
    return `${code} ${name}`;
  });
  const documented = [...rows].map(([, code, name]) => `${code} ${name}`);
  assert.ok(declared.length > 0);
  assert.deepEqual(documented.sort(), declared.sort());
});

test('a parse error quotes the line, and not more of it than fits', () => {
  assert.equal(new errors.ParseError('stat', 'cpu "x"').message, 'stat: cannot parse "cpu \\"x\\""');
  assert.ok(new errors.ParseError('stat', 'x'.repeat(10_000)).message.length < 200);
});

test('what a parser made of a line is passed on, but for nothing', () => {
  assert.equal(errors.parsed(0, 'stat', 'cpu0'), 0);
  assert.throws(() => errors.parsed(undefined, 'stat', 'cpu0'), { message: 'stat: cannot parse "cpu0"' });
});

test('every errno is an answer of the kernel, also one that Node has no name for; its own codes are none', () => {
  const withCode = (code: string) => Object.assign(new Error(code), { code });
  for (const code of ['EIO', 'EPIPE', 'E2BIG', 'Unknown system error -524', 'Unknown system error -517'])
    assert.ok(errors.isRefusal(withCode(code)), code);
  for (const code of ['ERR_INVALID_ARG_TYPE', 'PARSE', 'Unknown', ''])
    assert.ok(!errors.isRefusal(withCode(code)), code);
  for (const code of ['Unknown system error -524', 'Unknown system error -74', 'EPIPE'])
    assert.ok(errors.hasErrno(withCode(code), errors.NOTHING), code);
});
