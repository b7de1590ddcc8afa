import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import { test } from 'node:test';
import { ParseError } from '../../src/core/errors.ts';
import { openNetlink } from '../../src/netlink/netlink.ts';
import { NETLINK_SOCK_DIAG } from '../../src/netlink/protocols.ts';
import { addSocket, IPV4_SOCKETS, IPV6_SOCKETS, noSockets } from '../../src/netlink/sock_diag.ts';
import { assertLivesThrough, between } from '../helpers/netlink.ts';

/** struct inet_diag_msg. */
function socket(state: number, receive: number, send: number): Buffer {
  const bytes = Buffer.alloc(72, 0xee);
  bytes.writeUInt8(state, 1);
  bytes.writeUInt32LE(receive, 56);
  bytes.writeUInt32LE(send, 60);
  return bytes;
}

test('the requests ask for every state of a family', () => {
  const head = [6, 0, 0, 0xff, 0x0f, 0, 0];
  assert.deepEqual([...IPV4_SOCKETS.body], [2, ...head, ...Array(48).fill(0)]);
  assert.deepEqual([...IPV6_SOCKETS.body], [10, ...head, ...Array(48).fill(0)]);
});

test('sockets are counted by their states, and their queues are summed up', () => {
  const totals = noSockets();
  for (const [state, receive, send] of [
    [1, 5, 7],
    [1, 1, 0],
    [10, 0, 128],
    [11, 0, 0],
    [12, 0, 0],
    [200, 0, 0],
  ] as const)
    between(socket(state, receive, send), 0, (view, start, end) => addSocket(totals, view, start, end));
  assert.deepEqual(totals, {
    states: new Map([
      ['established', 2],
      ['listen', 1],
      ['closing', 1],
      ['unknown', 2],
    ]),
    receiveQueueBytes: 6,
    sendQueueBytes: 135,
  });
});

test('a socket that is cut short is refused', () => {
  assert.throws(
    () => between(socket(1, 0, 0).subarray(1), 0, (...where) => addSocket(noSockets(), ...where)),
    new ParseError('netlink', '71 bytes where 72 are needed at byte 64'),
  );
});

test('addSocket lives through whatever it is given', () => {
  assertLivesThrough([socket(1, 2, 3)], (view, start, end) => {
    const totals = noSockets();
    addSocket(totals, view, start, end);
    return totals;
  });
});

test('this kernel lists a connection of ours, without a privilege', async (t) => {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const client = connect((server.address() as { port: number }).port, '127.0.0.1');
  const [accepted] = await Promise.all([once(server, 'connection'), once(client, 'connect')]);
  const kernel = openNetlink(NETLINK_SOCK_DIAG);
  t.after(() => {
    kernel.close();
    client.destroy();
    accepted[0].destroy();
    server.close();
  });
  const { states } = kernel.fold(IPV4_SOCKETS, noSockets, addSocket);
  assert.ok((states.get('listen') ?? 0) >= 1);
  assert.ok((states.get('established') ?? 0) >= 2);
});
