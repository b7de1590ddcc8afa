import assert from 'node:assert/strict';
import { lookup } from 'node:dns/promises';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { test } from 'node:test';
import { UsageError } from '../../src/core/errors.ts';
import { gauge } from '../../src/core/metric.ts';
import type { Ready } from '../../src/core/registry.ts';
import { freePort } from '../helpers/exporter.ts';
import { collectorNamed, exchange, rawConnection, serve } from '../helpers/server.ts';

const GET = 'GET / HTTP/1.1\r\nHost: x\r\n';

/** Waits for what another part of the program will bring about. */
async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await new Promise((resolve) => setTimeout(resolve, 5));
}

test('a connection without a whole request is closed when its time is over', async (t) => {
  const { port, url } = await serve(t, { limits: { headersMs: 50 } });
  const silent = await rawConnection(t, port);
  const slow = await rawConnection(t, port);
  slow.socket.write(GET);
  const again = await rawConnection(t, port);
  again.socket.write(`${GET}\r\n`);
  await until(() => again.received().endsWith('</html>\n'));
  again.socket.write('G');
  await Promise.all([silent.closed, slow.closed, again.closed]);
  assert.equal((await fetch(url)).status, 200);
});

test('an idle connection is kept for the next request, and closed later', async (t) => {
  const { port } = await serve(t, { limits: { headersMs: 10, idleMs: 1500 } });
  const connection = await rawConnection(t, port);
  for (let answers = 1; answers <= 2; answers += 1) {
    connection.socket.write(`${GET}\r\n`);
    await until(() => connection.received().split('</html>').length === answers + 1);
  }
  await connection.closed;
});

test('an endless body is cut off, after its answer', async (t) => {
  const { port } = await serve(t, { limits: { headersMs: 50 } });
  const connection = await rawConnection(t, port);
  connection.socket.write('POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999\r\n\r\n');
  const pump = setInterval(() => connection.socket.write('x'.repeat(1000)), 5);
  await connection.closed;
  clearInterval(pump);
  assert.match(connection.received(), /^HTTP\/1\.1 200 /);
});

test('who does not take an answer loses the connection and the place', { timeout: 30_000 }, async (t) => {
  const started = Promise.withResolvers<void>();
  const value = gauge('node_test', 'Large.', 'pad');
  const large: Ready = {
    name: 'cpu',
    collect(out) {
      started.resolve();
      for (let i = 0; i < 16; i += 1) out.sample(value, i, `${i}`.padEnd(1 << 20, '-'));
    },
  };
  const { port, url } = await serve(t, { collectors: [large], limits: { answerMs: 50 }, requestsMax: 1 });
  const stuck = await rawConnection(t, port);
  stuck.socket.pause();
  stuck.socket.write('GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n'.repeat(2));
  await started.promise;
  const statusOf = async (): Promise<number> => (await fetch(`${url}/metrics?name[]=node_exporter_build_info`)).status;
  assert.equal(await statusOf(), 503);
  while ((await statusOf()) !== 200) await new Promise((resolve) => setTimeout(resolve, 50));
});

test('when all places are taken, who has waited longest makes room', async (t) => {
  const { port } = await serve(t, { limits: { connectionsMax: 3 } });
  const waiting = [await rawConnection(t, port), await rawConnection(t, port), await rawConnection(t, port)];
  assert.match(await exchange(t, port, `${GET}Connection: close\r\n\r\n`), /^HTTP\/1\.1 200 /);
  await waiting[0]?.closed;
  assert.match(await exchange(t, port, `${GET}Connection: close\r\n\r\n`), /^HTTP\/1\.1 200 /);
});

test('a request under way is never given up for a new connection', async (t) => {
  const gate = Promise.withResolvers<void>();
  const started = Promise.withResolvers<void>();
  const slow = collectorNamed('cpu', () => {
    started.resolve();
    return gate.promise;
  });
  const { port } = await serve(t, { limits: { connectionsMax: 1 }, collectors: [slow] });
  const busy = await rawConnection(t, port);
  busy.socket.write('GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n');
  await started.promise;
  // Refused as long as the first has the only place.
  for (let i = 0; i < 2; i += 1) await (await rawConnection(t, port)).closed;
  gate.resolve();
  await busy.closed;
  assert.match(busy.received(), /^HTTP\/1\.1 200 /);
});

test('headers of 1 MiB are refused', async (t) => {
  const { port, url } = await serve(t);
  const raw = await exchange(t, port, `GET / HTTP/1.1\r\nHost: x\r\nX: ${'x'.repeat(1 << 20)}\r\n\r\n`);
  assert.match(raw, /^HTTP\/1\.1 431 |^$/);
  assert.equal((await fetch(url)).status, 200);
});

for (const bytes of [
  '\0\0\0\0\r\n\r\n',
  'GET / HTTP/9.9\r\n\r\n',
  'GET / HTTP/1.1\r\n\r\n',
  'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n',
])
  test(`what is not HTTP is refused: ${JSON.stringify(bytes)}`, async (t) => {
    const { port } = await serve(t);
    assert.match(await exchange(t, port, bytes), /^HTTP\/1\.1 (400|505) /);
  });

test('pipelined requests are all answered', async (t) => {
  const { port } = await serve(t);
  const raw = await exchange(t, port, `${GET}\r\n${GET}\r\n${GET}Connection: close\r\n\r\n`);
  assert.equal(raw.split('HTTP/1.1 200 OK').length, 4);
});

test('too many pipelined requests close the connection', async (t) => {
  const { port, url } = await serve(t);
  const raw = await exchange(t, port, `${GET}\r\n`.repeat(1000));
  assert.ok(raw.split('HTTP/1.1 200 OK').length <= 17);
  assert.equal((await fetch(url)).status, 200);
});

test('closing answers what is under way and drops the rest', async (t) => {
  const gate = Promise.withResolvers<void>();
  const started = Promise.withResolvers<void>();
  const { port, server } = await serve(t, {
    collectors: [
      collectorNamed('cpu', () => {
        started.resolve();
        return gate.promise;
      }),
    ],
  });
  const idle = await rawConnection(t, port);
  const busy = await rawConnection(t, port);
  busy.socket.write('GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n');
  await started.promise;
  const closed = server.close(10_000);
  await idle.closed;
  gate.resolve();
  await closed;
  await busy.closed;
  assert.match(busy.received(), /^HTTP\/1\.1 200 /);
  assert.match(busy.received(), /^node_test/m);
});

test('closing does not wait longer than it was told', async (t) => {
  const started = Promise.withResolvers<void>();
  const gate = Promise.withResolvers<void>();
  const slow = collectorNamed('cpu', () => {
    started.resolve();
    return gate.promise;
  });
  const { port, server } = await serve(t, { collectors: [slow] });
  const busy = await rawConnection(t, port);
  busy.socket.write('GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n');
  await started.promise;
  await server.close(20);
  await busy.closed;
  assert.equal(busy.received(), '');
  gate.resolve();
});

test('several addresses are served at once', async (t) => {
  const { server } = await serve(t, { listenOn: ['127.0.0.1:0', '[127.0.0.2]:0', 'localhost:0'] });
  assert.equal(server.addresses.length, 3);
  for (const address of server.addresses) assert.equal((await fetch(`http://${address}/`)).status, 200);
});

test('a name is served at its IPv4 and its IPv6 address', async (t) => {
  const port = await freePort();
  const { server } = await serve(t, { listenOn: [`localhost:${port}`] });
  const expected = (await lookup('localhost', { all: true })).map(({ address, family }) =>
    family === 6 ? `[${address}]:${port}` : `${address}:${port}`,
  );
  assert.deepEqual([...server.addresses].sort(), [...new Set(expected)].sort());
  for (const address of server.addresses) assert.equal((await fetch(`http://${address}/`)).status, 200);
  await assert.rejects(serve(t, { listenOn: ['no-such-host.invalid:0'] }), { name: 'UsageError' });
});

test('an address that is taken is told in one line', async (t) => {
  const other = createServer().listen(0, '127.0.0.1');
  t.after(() => void other.close());
  await once(other, 'listening');
  const { port } = other.address() as { port: number };
  await assert.rejects(serve(t, { listenOn: [`127.0.0.1:${port}`] }), {
    name: 'UsageError',
    message: `listen on 127.0.0.1:${port}: address already in use`,
  });
  await assert.rejects(serve(t, { telemetryPath: 'metrics' }), UsageError);
});
