import assert from 'node:assert/strict';
import { once } from 'node:events';
import { closeSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { test } from 'node:test';
import { openListener, socketAddress } from '../../src/syscall/listen_socket.ts';
import { freePort } from '../helpers/exporter.ts';

test('addresses are laid out as the kernel takes them', () => {
  const hex = (host: string, port: number) => socketAddress({ host, port })?.toString('hex');
  assert.equal(hex('127.0.0.1', 80), '020000507f0000010000000000000000');
  assert.equal(hex('::', 443), `0a0001bb00000000${'00'.repeat(16)}00000000`);
  assert.equal(hex('::1', 443), `0a0001bb00000000${'00'.repeat(15)}0100000000`);
  assert.equal(hex('2001:db8::a:b', 1), '0a0000010000000020010db80000000000000000000a000b00000000');
  assert.equal(hex('::ffff:10.0.0.1', 1), '0a0000010000000000000000000000000000ffff0a00000100000000');
  assert.equal(hex('1:2:3:4:5:6:7:8', 1), '0a000001000000000001000200030004000500060007000800000000');
  assert.equal(hex('example.invalid', 1), undefined);
  assert.equal(hex('fe80::1%eth0', 1), undefined);
});

test('a socket listens, and Node serves on its descriptor', async (t) => {
  const port = await freePort();
  const fd = openListener({ host: '127.0.0.1', port }) as number;
  const server = createServer((socket) => socket.end('hello')).listen({ fd });
  t.after(() => server.close());
  const client = connect(port, '127.0.0.1');
  const [data] = await once(client, 'data');
  assert.equal(String(data), 'hello');
  assert.throws(() => openListener({ host: '127.0.0.1', port }), { code: 'EADDRINUSE', syscall: 'bind' });
  assert.equal(openListener({ host: 'example.invalid', port }), undefined);
});

test('without a host every address is listened on', async (t) => {
  const port = await freePort();
  const fd = openListener({ host: '', port }) as number;
  t.after(() => closeSync(fd));
  const client = connect(port, '127.0.0.1');
  await once(client, 'connect');
  client.destroy();
});
