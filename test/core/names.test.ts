import assert from 'node:assert/strict';
import { test } from 'node:test';
import { nameIn } from '../../src/core/names.ts';
import { openTree } from '../../src/source/source.ts';
import { bytesTree } from '../helpers/scrape.ts';

for (const [why, word, name] of [
  ['ASCII', 'eth0', 'eth0'],
  ['UTF-8, there or not', 'ü', '\xc3\xbc'],
  ['above U+00FF', '日', '\xe6\x97\xa5'],
  ['no UTF-8', 'a\ufffd', 'a\xff'],
  ['no UTF-8, and shown as another is', 'b\ufffd', undefined],
  ['no UTF-8, and gone', 'c\ufffd', undefined],
] as const)
  test(`the name that a word is about: ${why}`, (t) => {
    const root = bytesTree(t, { 'net/a\xff': '', 'net/b\xff': '', 'net/b\xfe': '' });
    assert.equal(nameIn(openTree(root), 'net', word), name);
  });

test('where there is no folder, no name is shown so', (t) =>
  assert.equal(nameIn(openTree(bytesTree(t, {})), 'net', '\ufffd'), undefined));
