import assert from 'node:assert/strict';
import { test } from 'node:test';
import { glob } from '../../src/core/glob.ts';
import { tree } from '../helpers/scrape.ts';

const FILES = { 'a1/x': '', 'a2/x': '', 'b/.dot/x': '', 'b/c-d/x': '', 'b/c+d/x': '', 'b/[z]/x': '', 'b/file': '' };

for (const [pattern, found] of [
  ['a?', ['a1', 'a2']],
  ['a[2-9]', ['a2']],
  ['a[^2]', ['a1']],
  ['a[\\1]', ['a1']],
  ['b/*', ['b/.dot', 'b/[z]', 'b/c+d', 'b/c-d', 'b/file']],
  ['b/c[+-]d', ['b/c+d', 'b/c-d']],
  ['b/c+*', ['b/c+d']],
  ['b/\\[z\\]', ['b/[z]']],
  ['*/x', ['a1/x', 'a2/x']],
  ['b/*/x', ['b/.dot/x', 'b/[z]/x', 'b/c+d/x', 'b/c-d/x']],
  ['b/none/*', []],
  ['none*', []],
  ['a[', []],
  ['a[9-0]', []],
  ['b/none', ['b/none']],
] as const)
  test(`${pattern} finds ${found.join(' ') || 'nothing'}`, async (t) => {
    const root = tree(t, FILES);
    assert.deepEqual(
      await glob(`${root}/${pattern}`),
      found.map((path) => `${root}/${path}`),
    );
  });

test('a pattern at the root and one without a folder', async () => {
  assert.ok((await glob('/pro?')).includes('/proc'));
  assert.deepEqual(await glob('no-such-thing-*'), []);
});
