import assert from 'node:assert/strict';
import { closeSync, openSync, readSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import { type TestContext, test } from 'node:test';
import { hasEnded, receiveMessage, sendMessage, setSocketTimeout, socketPair } from '../../src/syscall/unix_socket.ts';
import { tree } from '../helpers/scrape.ts';

function pair(t: TestContext): readonly [number, number] {
  const both = socketPair();
  const open = new Set(both);
  t.after(() => {
    for (const fd of open)
      try {
        closeSync(fd);
      } catch {
        // Closed by the test.
      }
  });
  return both;
}

test('messages arrive whole, in order, and cut where they are too long', (t) => {
  const [a, b] = pair(t);
  for (const text of ['one', 'two', 'three']) sendMessage(a, Buffer.from(text));
  const texts = [10, 10, 2].map((max) => Buffer.from(receiveMessage(b, max, 0)?.bytes ?? []).toString());
  assert.deepEqual(texts, ['one', 'two', 'th']);
});

test('a descriptor arrives as one of the receiver, at the same file', (t) => {
  const [a, b] = pair(t);
  const file = join(tree(t, { x: '' }), 'x');
  writeFileSync(file, 'inside');
  const fd = openSync(file, 'r');
  sendMessage(a, Buffer.from('here'), [fd]);
  closeSync(fd);
  const message = receiveMessage(b, 10, 2);
  const [received] = message?.fds ?? [];
  assert.ok(received !== undefined);
  const bytes = Buffer.alloc(6);
  readSync(received, bytes, 0, 6, 0);
  closeSync(received);
  assert.equal(bytes.toString(), 'inside');
});

test('more descriptors than there is room for are closed by the kernel', (t) => {
  const [a, b] = pair(t);
  const fd = openSync('/dev/null', 'r');
  sendMessage(a, Buffer.from('x'), [fd, fd, fd, fd, fd]);
  closeSync(fd);
  const fds = receiveMessage(b, 10, 2)?.fds ?? [];
  for (const each of fds) closeSync(each);
  assert.equal(fds.length, 2);
});

test('messages leave no memory behind', (t) => {
  const [a, b] = pair(t);
  const fd = openSync('/dev/null', 'r');
  const once = (): void => {
    sendMessage(a, Buffer.from('x'), [fd]);
    for (const each of receiveMessage(b, 4096, 2)?.fds ?? []) closeSync(each);
  };
  once();
  const before = process.memoryUsage().arrayBuffers;
  for (let i = 0; i < 200; i += 1) once();
  const grown = process.memoryUsage().arrayBuffers - before;
  closeSync(fd);
  assert.ok(grown < 100_000, `${grown} bytes`);
});

test('the end of the other process is seen, after what it sent', (t) => {
  const [a, b] = pair(t);
  assert.equal(hasEnded(b), false);
  sendMessage(a, Buffer.from('last'));
  closeSync(a);
  assert.equal(hasEnded(b), false);
  assert.equal(receiveMessage(b, 10, 0)?.bytes.length, 4);
  assert.equal(hasEnded(b), true);
  assert.equal(receiveMessage(b, 10, 0), undefined);
  assert.throws(() => sendMessage(b, Buffer.from('x')), { code: 'EPIPE' });
});

test('a call waits no longer than it may', (t) => {
  const [, b] = pair(t);
  setSocketTimeout(b, 20);
  assert.throws(() => receiveMessage(b, 10, 0), { code: 'EAGAIN' });
});
