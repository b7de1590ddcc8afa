import assert from 'node:assert/strict';
import { mkdirSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { errnoOf, optional } from '../../src/core/errors.ts';
import { createSource, openTree } from '../../src/source/source.ts';
import { tree } from '../helpers/scrape.ts';

test('read keeps its descriptor and reads from the start every time', (t) => {
  const root = tree(t, { 'proc/stat': 'one\n' });
  const source = createSource();
  t.after(() => source.close());
  const proc = source.openTree(join(root, 'proc/'));
  assert.equal(proc.read('stat'), 'one\n');
  writeFileSync(join(root, 'proc/stat'), 'longer than before\n');
  assert.equal(proc.read('stat'), 'longer than before\n');
  assert.equal(source.descriptors.kept, 1);
  rmSync(join(root, 'proc/stat'));
  assert.throws(() => proc.read('stat'), { code: 'ENOENT' });
  assert.equal(source.descriptors.kept, 0);
});

test('no more than a quarter of the descriptors that the process may have are kept', (t) => {
  const names = Array.from({ length: 100 }, (_, i) => `proc/${i}`);
  const source = createSource({ openFiles: 200 });
  const proc = source.openTree(join(tree(t, Object.fromEntries(names.map((name) => [name, name]))), 'proc'));
  const before = readdirSync('/proc/self/fd').length;
  for (const name of names) assert.equal(proc.read(name.slice(5)), name);
  assert.equal(readdirSync('/proc/self/fd').length - before, 50);
  source.close();
  assert.equal(readdirSync('/proc/self/fd').length, before);
});

test('a file larger than the buffer comes whole, and invalid UTF-8 is repaired', (t) => {
  const root = tree(t, { 'proc/large': 'x'.repeat(300_000) });
  writeFileSync(join(root, 'proc/broken'), Buffer.from([0x61, 0xff, 0x62]));
  const proc = openTree(join(root, 'proc'));
  assert.equal(proc.read('large').length, 300_000);
  assert.equal(proc.readOnce('broken'), 'a\ufffdb');
});

test('attribute, list, link, exists, path', (t) => {
  const root = tree(t, {
    'sys/class/net/eth0/mtu': ' 1500\n',
    'sys/class/net/eth10/mtu': '',
    'sys/class/net/eth2/mtu': '',
  });
  symlinkSync('../class/net', join(root, 'sys/link'));
  const sys = openTree(join(root, 'sys'));
  assert.equal(sys.attribute('class/net/eth0/mtu'), '1500');
  assert.equal(sys.attribute('class/net/eth0/speed'), undefined);
  assert.equal(sys.attribute('class/net/eth0/mtu/x'), undefined);
  assert.deepEqual(sys.list('class/net'), ['eth0', 'eth10', 'eth2']);
  assert.equal(sys.link('link'), '../class/net');
  assert.equal(sys.exists('class'), true);
  assert.equal(sys.exists('block'), false);
  assert.equal(sys.path('class'), join(root, 'sys/class'));
  assert.equal(openTree('/').path(''), '/');
});

test('what the kernel refuses is thrown with its errno; optional turns absence into undefined', (t) => {
  const root = tree(t, {});
  mkdirSync(join(root, 'proc'));
  const proc = openTree(join(root, 'proc'));
  for (const read of [
    (): unknown => proc.read('x'),
    () => proc.readOnce('x'),
    () => proc.list('x'),
    () => proc.link('x'),
  ]) {
    assert.throws(read, (error) => errnoOf(error) === 'ENOENT');
    assert.equal(optional(read), undefined);
  }
  assert.throws(
    () => optional(() => proc.readOnce('')),
    (error) => errnoOf(error) === 'EISDIR' && (error as Error).message.endsWith(`'${root}/proc'`),
    'what is read is named, as what is opened',
  );
  assert.equal(
    optional(() => proc.readOnce(''), ['EISDIR']),
    undefined,
  );
});

test('a file that was absent is refused the same way again, and read when it has come', (t) => {
  const root = tree(t, { 'proc/stat': '' });
  const proc = openTree(join(root, 'proc'));
  for (const _ of [1, 2]) assert.throws(() => proc.read('mdstat'), { code: 'ENOENT' });
  writeFileSync(join(root, 'proc/mdstat'), 'Personalities :\n');
  assert.equal(proc.read('mdstat'), 'Personalities :\n');
});
