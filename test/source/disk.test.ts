import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { statSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { DeadlineError, errnoOf, LimitError } from '../../src/core/errors.ts';
import { disk, FILE_BYTES_MAX } from '../../src/source/disk.ts';
import { tree } from '../helpers/scrape.ts';

const { away } = disk;
const never = (): boolean => false;
const always = (): boolean => true;

for (const length of [0, 1, (64 << 10) - 1, 64 << 10, (64 << 10) + 1, 300_000])
  test(`a file of ${length} bytes is read whole, off the thread too`, async (t) => {
    const path = join(tree(t, { f: '' }), 'f');
    const bytes = Buffer.from(Uint8Array.from({ length }, (_, i) => (i * 7) % 251));
    writeFileSync(path, bytes);
    assert.ok((await away.readWhole(path, never)).equals(bytes));
    for (const isChecked of [false, true]) assert.ok(disk.readWhole(path, isChecked).equals(bytes));
  });

test('what has no length of its own is read to its end', async () =>
  assert.ok((await away.readWhole('/proc/self/cmdline', never)).equals(disk.readWhole('/proc/self/cmdline'))));

test('a FIFO that nobody writes to is refused, not waited for', async (t) => {
  const path = join(tree(t, { f: '' }), 'pipe');
  execFileSync('mkfifo', [path]);
  const expected = {
    name: 'DeadlineError',
    message: `${path}: not a regular file, so that reading it may take for ever`,
  };
  await assert.rejects(away.readWhole(path, never), expected);
  assert.throws(() => disk.readWhole(path, true), expected);
  assert.throws(() => disk.open(path, true), expected);
});

test('a folder answers by itself that it is none to read', async (t) => {
  const root = tree(t, { 'd/f': '' });
  await assert.rejects(away.readWhole(join(root, 'd'), never), { code: 'EISDIR' });
  assert.throws(() => disk.readWhole(join(root, 'd'), true), { code: 'EISDIR' });
});

test('a file that is longer than any of the kernel is too long', async (t) => {
  const path = join(tree(t, { f: '' }), 'f');
  truncateSync(path, FILE_BYTES_MAX);
  await assert.rejects(away.readWhole(path, never), new LimitError(`${path}: longer than ${FILE_BYTES_MAX} bytes`));
});

test('who is given up stops at the next read', async (t) => {
  const path = join(tree(t, { f: 'text' }), 'f');
  await assert.rejects(away.readWhole(path, always), new DeadlineError(`${path}: does not end`));
});

test('off the thread everything answers as on it', async (t) => {
  const root = tree(t, { 'd/a': 'four', 'd/b': '' });
  const [folder, file, link] = [join(root, 'd'), join(root, 'd/a'), join(root, 'link')];
  symlinkSync('d/a', link);
  assert.deepEqual((await away.list(folder)).toSorted(), ['a', 'b']);
  assert.deepEqual(disk.list(folder).toSorted(), ['a', 'b']);
  assert.deepEqual([await away.link(link), disk.link(link)], ['d/a', 'd/a']);
  assert.deepEqual([await away.real(link), disk.real(link)], [file, file]);
  assert.deepEqual([await away.sizeBytes(link), disk.sizeBytes(link)], [4, 4]);
  const { ino } = statSync(file);
  assert.deepEqual([await away.identity(link), disk.identity(link)], [ino, ino]);
  assert.deepEqual([await away.isThere(folder), disk.isThere(folder)], [true, true]);
});

test('off the thread a name is one character for each byte', async (t) => {
  const root = tree(t, { 'ü/é': 'x' });
  const folder = join(root, Buffer.from('ü').toString('latin1'));
  const name = Buffer.from('é').toString('latin1');
  assert.deepEqual([await away.list(folder), disk.list(folder)], [[name], [name]]);
  assert.equal(String(await away.readWhole(`${folder}/${name}`, never)), 'x');
});

test('what is not there is not there; what hides it is told', async (t) => {
  const root = tree(t, { f: '' });
  const loop = join(root, 'loop');
  symlinkSync('loop', loop);
  for (const path of [join(root, 'none'), join(root, 'f/below')])
    assert.deepEqual([await away.isThere(path), await away.identity(path)], [false, undefined]);
  for (const ask of [away.isThere, away.identity, away.sizeBytes, away.real])
    await assert.rejects(ask(loop), (error) => errnoOf(error) === 'ELOOP');
});
