import assert from 'node:assert/strict';
import { closeSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { acquireFiles, adoptFiles } from '../../src/core/held.ts';
import { openTree } from '../../src/source/source.ts';

test('files that are held are read whole, each time as they are', (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'keyhole-held-'));
  t.after(() => rmSync(folder, { recursive: true }));
  writeFileSync(join(folder, 'short'), 'one\n');
  writeFileSync(join(folder, 'long'), 'x'.repeat(200_000));
  const acquired = acquireFiles(openTree(folder), ['short', 'long', 'absent', 'short/below']);
  assert.deepEqual(
    acquired.held.map(({ key, kind, path }) => [key, kind, path]),
    [
      ['short', 'file', join(folder, 'short')],
      ['long', 'file', join(folder, 'long')],
    ],
  );
  const tree = openTree(folder);
  rmSync(join(folder, 'long'));
  adoptFiles(tree, acquired);
  adoptFiles(tree, undefined);
  assert.equal(tree.read('short'), 'one\n');
  assert.equal(tree.read('long').length, 200_000);
  assert.throws(() => tree.read('absent'), /ENOENT/);
  writeFileSync(join(folder, 'short'), 'two\n');
  assert.equal(tree.read('short'), 'two\n');
  for (const { fd } of acquired.held) closeSync(fd);
});
