import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, statfsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { askFileSystem, errnoText } from '../../src/syscall/statfs.ts';

test('askFileSystem tells what the kernel tells', async () => {
  const { bsize, blocks, files } = statfsSync('/proc');
  const answer = await askFileSystem('/proc');
  assert.ok(!('refusal' in answer));
  assert.deepEqual([answer.blockBytes, answer.blocks, answer.files], [bsize, blocks, files]);
});

test('askFileSystem takes paths as bytes', async (t) => {
  const root = mkdtempSync(join(tmpdir(), 'keyhole-'));
  t.after(() => rmSync(root, { recursive: true }));
  mkdirSync(Buffer.concat([Buffer.from(`${root}/`), Buffer.from([0xff, 0xc3, 0xa9])]));
  assert.ok(!('refusal' in (await askFileSystem(`${root}/\xff\xc3\xa9`))));
});

for (const [path, refusal] of [
  ['/keyhole/nowhere', 'no such file or directory'],
  ['/proc/version/x', 'not a directory'],
  ['/a\0b', 'invalid argument'],
  [`/${'x'.repeat(300)}`, 'file name too long'],
] as const)
  test(`askFileSystem refuses with '${refusal}'`, async () => assert.deepEqual(await askFileSystem(path), { refusal }));

test('errnoText has the words that alerts know', () => {
  assert.equal(errnoText(13), 'permission denied');
  assert.equal(errnoText(107), 'transport endpoint is not connected');
  assert.equal(errnoText(116), 'stale NFS file handle');
  assert.deepEqual([16, 37, 74, 122, 123].map(errnoText), [
    'device or resource busy',
    'no locks available',
    'bad message',
    'disk quota exceeded',
    'no medium found',
  ]);
  // Go has no texts for these.
  assert.deepEqual([41, 133, 524].map(errnoText), ['errno 41', 'errno 133', 'errno 524']);
});
