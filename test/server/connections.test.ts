import assert from 'node:assert/strict';
import { lookup } from 'node:dns/promises';
import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { UsageError } from '../../src/core/errors.ts';
import { gauge } from '../../src/core/metric.ts';
import type { Ready } from '../../src/core/registry.ts';
import { slowOf, type Waiting } from '../../src/server/connections.ts';
import { freePort } from '../helpers/exporter.ts';
import { collectorNamed, exchange, rawConnection, serve } from '../helpers/server.ts';

const GET = 'GET / HTTP/1.1\r\nHost: x\r\n';

const UNTIL_MS = 30_000;

/** Waits for what another part of the program will bring about. */
async function until(holds: () => boolean | Promise<boolean>): Promise<void> {
  for (const late = performance.now() + UNTIL_MS; !(await holds()); await delay(5))
    assert.ok(performance.now() < late, `never: ${holds}`);
}

test('a connection without a whole request is closed when its time is over', async (t) => {
  const { port, url } = await serve(t, { limits: { headersMs: 1000 } });
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
  const { port } = await serve(t, { limits: { headersMs: 1000, idleMs: 2500 } });
  const connection = await rawConnection(t, port);
  for (let answers = 1; answers <= 2; answers += 1) {
    connection.socket.write(`${GET}\r\n`);
    await until(() => connection.received().split('</html>').length === answers + 1);
  }
  await connection.closed;
});

test('an endless body is cut off, after its answer', async (t) => {
  const { port } = await serve(t, { limits: { headersMs: 1000 } });
  const connection = await rawConnection(t, port);
  connection.socket.write('POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999\r\n\r\n');
  const pump = setInterval(() => connection.socket.write('x'.repeat(1000)), 5);
  await connection.closed;
  clearInterval(pump);
  assert.match(connection.received(), /^HTTP\/1\.1 200 /);
});

const value = gauge('node_test', 'Large.', 'pad');

/** A collector whose answer no socket takes at once. */
const large = (mebibytes: number): Ready => ({
  name: 'cpu',
  parts: [
    (out) => {
      for (let i = 0; i < mebibytes; i += 1) out.sample(value, i, `${i}`.padEnd(1 << 20, '-'));
    },
  ],
});
const LARGE = 'GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n';
const inFlight = async (url: string): Promise<number> => {
  const text = await (await fetch(`${url}/metrics?exclude[]=cpu`)).text();
  return Number(/^promhttp_metric_handler_requests_in_flight (.*)$/m.exec(text)?.[1]);
};

test('who takes nothing of an answer loses the connection', { timeout: 30_000 }, async (t) => {
  const { port, url } = await serve(t, { collectors: [large(16)], limits: { answerMs: 300 } });
  const stuck = await rawConnection(t, port);
  stuck.socket.pause();
  stuck.socket.write(LARGE);
  await until(() => stuck.socket.bytesRead > 0);
  await until(async () => (await inFlight(url)) === 1);
  stuck.socket.resume();
  await stuck.closed;
  assert.ok(stuck.received().length < 16 << 20);
});

test('scrapes whose clients do not read lock nobody out', { timeout: 30_000 }, async (t) => {
  const { port, url } = await serve(t, { collectors: [large(10)], requestsMax: 3 });
  const stuck = await Promise.all([1, 2, 3].map(() => rawConnection(t, port)));
  for (const { socket } of stuck) {
    socket.pause();
    socket.write(LARGE);
  }
  await until(() => stuck.every(({ socket }) => socket.bytesRead > 0));
  const askedAt = performance.now();
  // For a second each of them may still be on its way.
  await until(async () => (await fetch(`${url}/metrics?exclude[]=cpu`)).status === 200);
  assert.ok(performance.now() - askedAt < 20_000);
  for (const { socket } of stuck) socket.resume();
  await Promise.race(stuck.map(({ closed }) => closed));
});

test('who makes room is a client that takes nothing, the last that came; then one that has taken nothing for long', () => {
  const socket = { destroyed: false, destroy: () => socket as Socket };
  const entry = (madeAt: number, since: number, more: Partial<Waiting> = {}): Waiting => ({
    ...{ socket, unanswered: 0, untakenBytes: 1, madeAt, since },
    ...more,
  });
  const patient = entry(1000, 1900);
  const last = entry(1500, 1500);
  const takes = entry(500, 8000);
  const others = [
    entry(1900, 1900, { untakenBytes: 0 }),
    entry(1900, 1900, { unanswered: 1 }),
    entry(1900, 1900, { socket: { ...socket, destroyed: true } }),
  ];
  const all = [patient, takes, last, ...others];
  assert.equal(slowOf(all, 2499), undefined);
  assert.equal(slowOf(all, 2500), last);
  const fresh = entry(2400, 2400);
  assert.equal(slowOf([...all, fresh], 2500), last);
  assert.equal(slowOf([...all, fresh], 2500, true), undefined);
  assert.equal(slowOf([...all, fresh], 3400, true), fresh);
  assert.equal(slowOf([patient, takes, ...others], 2900), patient);
  assert.equal(slowOf([takes, ...others], 22_999), undefined);
  assert.equal(slowOf([takes, ...others], 23_000), takes);
});

test('answers that wait for their clients have a bound in memory', { timeout: 30_000 }, async (t) => {
  const limits = { untakenBytesMax: 20 << 20 };
  const { port, url } = await serve(t, { collectors: [large(16)], limits, requestsMax: 0 });
  const stuck = await Promise.all([1, 2, 3].map(() => rawConnection(t, port)));
  for (const { socket } of stuck) {
    socket.pause();
    socket.write(LARGE);
    await until(() => socket.bytesRead > 0 || socket.destroyed || socket.readableEnded);
  }
  // One of them and this one.
  await until(async () => (await inFlight(url)) === 2);
});

for (const requests of [1, 2])
  test(`a slow client gets its whole answer, the ${requests}. on a connection`, { timeout: 60_000 }, async (t) => {
    const { port } = await serve(t, { collectors: [large(16)], limits: { answerMs: 3000 } });
    const socket = connect({ port, host: '127.0.0.1' });
    t.after(() => void socket.destroy());
    let received = 0;
    let wanted = Number.POSITIVE_INFINITY;
    let head = '';
    const startedAt = performance.now();
    for (let request = 0; request < requests; request += 1) {
      const isSlow = request === requests - 1;
      [received, wanted, head] = [0, Number.POSITIVE_INFINITY, ''];
      socket.write(LARGE);
      while (received < wanted) {
        const chunk: Buffer | null = socket.read();
        if (chunk === null) {
          assert.ok(!socket.destroyed && !socket.readableEnded, `closed after ${received} bytes`);
          await delay(5);
          continue;
        }
        received += chunk.length;
        if (wanted === Number.POSITIVE_INFINITY) {
          head += chunk.toString('latin1');
          const [all = '', length] = /^[\s\S]*?Content-Length: (\d+)[\s\S]*?\r\n\r\n/.exec(head) ?? [];
          if (length !== undefined) wanted = all.length + Number(length);
        }
        // About 4 MB a second.
        if (isSlow) await delay(chunk.length / 4000);
      }
    }
    assert.equal(received, wanted);
    assert.ok(performance.now() - startedAt > 3000);
  });

test('who closes the own half of the connection still gets an answer', async (t) => {
  const gate = Promise.withResolvers<void>();
  const { port, url } = await serve(t, { collectors: [collectorNamed('cpu', () => gate.promise)] });
  const connection = await rawConnection(t, port);
  connection.socket.end('GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n');
  await until(async () => (await inFlight(url)) === 2);
  gate.resolve();
  await connection.closed;
  assert.match(connection.received(), /^node_test/m);
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
