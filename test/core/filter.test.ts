import assert from 'node:assert/strict';
import { test } from 'node:test';
import { UsageError } from '../../src/core/errors.ts';
import { createFilter } from '../../src/core/filter.ts';
import { compilePattern, loadPatterns } from '../../src/core/pattern.ts';

await loadPatterns();
const a = compilePattern('^a');
const b = compilePattern('^b');
const names = ['include', 'exclude', 'old'] as const;
const flags = { include: undefined, exclude: undefined, excludeGiven: false, names };
const passing = (filter: (name: string) => boolean): string[] => ['a1', 'b1', 'c1'].filter(filter);

for (const [why, given, expected] of [
  ['nothing', {}, ['a1', 'b1', 'c1']],
  ['what is left out by default', { exclude: a }, ['b1', 'c1']],
  ['what is left out', { exclude: a, excludeGiven: true }, ['b1', 'c1']],
  ['the old flag, instead of the default', { exclude: a, old: b }, ['a1', 'c1']],
  ['what to take, instead of the default', { include: a, exclude: a }, ['a1']],
  ['what to take, and leaving nothing out', { include: a, exclude: undefined, excludeGiven: true }, ['a1']],
  ['what to take, before the old flag', { include: a, exclude: a, old: a }, ['a1']],
] as const)
  test(`createFilter takes ${why}`, () => assert.deepEqual(passing(createFilter({ ...flags, ...given })), expected));

for (const [why, given, message] of [
  ['both', { include: a, exclude: b, excludeGiven: true }, '--exclude and --include are mutually exclusive'],
  ['old and new', { old: a, exclude: b, excludeGiven: true }, '--old and --exclude are mutually exclusive'],
] as const)
  test(`createFilter refuses ${why}`, () =>
    assert.throws(
      () => createFilter({ ...flags, ...given }),
      (error) => error instanceof UsageError && error.message === message,
    ));
