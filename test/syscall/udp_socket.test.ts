import assert from 'node:assert/strict';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { closeSync, readlinkSync } from 'node:fs';
import { test } from 'node:test';
import { realtimeNs } from '../../src/syscall/clock.ts';
import { openUdpSocket, receivedNs } from '../../src/syscall/udp_socket.ts';

test('a packet that waits for a busy program has its own time', async (t) => {
  const fd = openUdpSocket(4) as number;
  const [socket, other] = [createSocket('udp4'), createSocket('udp4')];
  t.after(() => {
    socket.close();
    other.close();
  });
  for (const [each, options] of [
    [socket, { fd }],
    [other, { address: '127.0.0.1' }],
  ] as const) {
    const bound = once(each, 'listening');
    each.bind(options);
    await bound;
  }
  const asked = once(other, 'message');
  socket.send('x', other.address().port, '127.0.0.1');
  const [, { port }] = await asked;
  const came = once(socket, 'message');
  const sent = realtimeNs();
  await new Promise((resolve) => other.send('y', port, '127.0.0.1', resolve));
  const waiting = realtimeNs();
  for (const until = waiting + 20_000_000n; realtimeNs() < until; );
  await came;
  const received = receivedNs(fd) as bigint;
  assert.ok(received >= sent && received < waiting + 10_000_000n, `${sent} ${received} ${waiting}`);
});

test('where nothing has come there is no time', () => {
  for (const family of [4, 6] as const) {
    const fd = openUdpSocket(family) as number;
    assert.match(readlinkSync(`/proc/self/fd/${fd}`), /^socket:/);
    assert.equal(receivedNs(fd), undefined);
    closeSync(fd);
  }
});
