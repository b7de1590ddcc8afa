import assert from 'node:assert/strict';
import { test } from 'node:test';
import tcpstat from '../../src/collectors/tcpstat.ts';
import { type Answer, kernelOf } from '../helpers/netlink.ts';
import { golden, scrape, tree } from '../helpers/scrape.ts';

/** struct inet_diag_msg. */
function socket(state: number, receive = 0, send = 0): readonly [number, Buffer] {
  const bytes = Buffer.alloc(72);
  bytes.writeUInt8(state, 1);
  bytes.writeUInt32LE(receive, 56);
  bytes.writeUInt32LE(send, 60);
  return [20, bytes];
}

const [AF_INET, AF_INET6, ENOENT] = [2, 10, 2];
const every = Array.from({ length: 11 }, (_, i) => socket(i + 1));
const socketsOf = (byFamily: Readonly<Record<number, Answer>>) => ({
  netlink: () => kernelOf((_, body) => byFamily[body[0] as number] ?? ENOENT),
});

test('tcpstat: sockets of both families become the golden text', (t) =>
  golden(t, tcpstat, {
    ...socketsOf({ [AF_INET]: [...every, socket(1, 100, 2000), socket(77)], [AF_INET6]: [socket(10, 1, 511)] }),
    root: tree(t, { 'proc/net/tcp6': '' }),
  }));

test('tcpstat: a kernel without IPv6 is not asked for it', async (t) => {
  const { text, error } = await scrape(tcpstat, { ...socketsOf({ [AF_INET]: [socket(10, 0, 5)] }), root: tree(t, {}) });
  assert.equal(error, undefined);
  assert.deepEqual(text.match(/^node.*$/gm), [
    'node_tcp_connection_states{state="listen"} 1',
    'node_tcp_connection_states{state="rx_queued_bytes"} 0',
    'node_tcp_connection_states{state="tx_queued_bytes"} 5',
  ]);
});

test('tcpstat: without sockets there are no series', async (t) => {
  const { text, success } = await scrape(tcpstat, { ...socketsOf({ [AF_INET]: [] }), root: tree(t, {}) });
  assert.deepEqual([text, success], ['', true]);
});

test('tcpstat: what the kernel refuses is a fault', async (t) => {
  const { error } = await scrape(tcpstat, {
    ...socketsOf({ [AF_INET]: [socket(1)] }),
    root: tree(t, { 'proc/net/tcp6': '' }),
  });
  assert.equal((error as { code?: string }).code, 'ENOENT');
});
