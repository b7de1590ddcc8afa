// Clients that mean no good, all at once, on the real exporter: nobody else is kept waiting, and SIGTERM ends it all the same.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, type TestContext, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { type Exporter, KEYHOLE, startExporter } from '../../helpers/exporter.ts';

const DEVICES = 200;
const ALIAS_BYTES = 64_000;
const SMALL = '?collect[]=loadavg';
const LARGE = 'GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n';

/** A sysfs whose network devices have long aliases: an answer of 13 MB. */
const root = mkdtempSync(join(tmpdir(), 'keyhole-aliases-'));
after(() => rmSync(root, { recursive: true, force: true }));
for (let i = 0; i < DEVICES; i += 1) {
  const folder = join(root, 'class/net', `eth${i}`);
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'ifalias'), 'x'.repeat(ALIAS_BYTES));
}

async function started(t: TestContext, args: readonly string[] = []): Promise<Exporter> {
  const exporter = await startExporter(KEYHOLE, [
    `--path.sysfs=${root}`,
    '--collector.disable-defaults',
    '--collector.netclass',
    '--collector.loadavg',
    ...args,
  ]);
  t.after(() => exporter.stop('SIGKILL'));
  return exporter;
}

async function connected(t: TestContext, { port }: Exporter): Promise<Socket> {
  const socket = connect(port, '127.0.0.1').on('error', () => {});
  t.after(() => void socket.destroy());
  await once(socket, 'connect');
  return socket;
}

/** Reads one answer at so many bytes a second, and answers how many bytes of its body came, of how many. */
async function readSlowly(socket: Socket, bytesPerSecond: number): Promise<{ received: number; wanted: number }> {
  socket.write(LARGE);
  let head = '';
  let received = 0;
  let wanted = Number.POSITIVE_INFINITY;
  const startedAt = performance.now();
  while (received < wanted && !socket.destroyed && !socket.readableEnded) {
    const allowed = ((performance.now() - startedAt) / 1000) * bytesPerSecond;
    const chunk: Buffer | null = received < allowed ? socket.read(Math.min(socket.readableLength, 20_000)) : null;
    if (chunk === null) {
      await delay(10);
      continue;
    }
    received += chunk.length;
    if (wanted < Number.POSITIVE_INFINITY) continue;
    head += chunk.toString('latin1');
    const [all = '', length] = /^[\s\S]*?Content-Length: (\d+)[\s\S]*?\r\n\r\n/.exec(head) ?? [];
    if (length !== undefined) wanted = all.length + Number(length);
  }
  return { received, wanted };
}

const residentOf = ({ child }: Exporter): number =>
  Number(/^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${child.pid}/status`, 'utf8'))?.[1]) * 1024;

test('44 clients that do not read lock nobody out, nor a client that reads 200 kB a second', async (t) => {
  const exporter = await started(t);
  const slow = readSlowly(await connected(t, exporter), 200_000);
  for (let i = 0; i < 44; i += 1) {
    const socket = await connected(t, exporter);
    socket.pause();
    socket.write(LARGE);
  }
  let worstMs = 0;
  let refused = 0;
  for (const until = performance.now() + 10_000; performance.now() < until; await delay(100)) {
    const askedAt = performance.now();
    const answer = await fetch(`${exporter.url}/metrics${SMALL}`);
    await answer.text();
    if (answer.status === 200) worstMs = Math.max(worstMs, performance.now() - askedAt);
    else refused += 1;
  }
  t.diagnostic(`slowest ${Math.round(worstMs)} ms, ${refused} refused, ${Math.round(residentOf(exporter) / 1e6)} MB`);
  // At most for the first second, in which each of them may still be on its way.
  assert.ok(refused <= 20);
  assert.ok(worstMs < 5000);
  const { received, wanted } = await slow;
  assert.ok(wanted > DEVICES * ALIAS_BYTES);
  assert.equal(received, wanted);
});

test('SIGTERM ends the exporter within 5 s, whatever its clients do', async (t) => {
  const exporter = await started(t);
  const sockets = await Promise.all(Array.from({ length: 60 }, () => connected(t, exporter)));
  for (const [i, socket] of sockets.entries()) {
    socket.pause();
    // Silent, half a request, a request that is not read, many of them, and a body without end.
    const body = `POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999\r\n\r\n`;
    const bytes = ['', 'GET / HT', LARGE, LARGE.repeat(5), body][i % 5] as string;
    socket.write(bytes);
    if (bytes !== body) continue;
    const pump = setInterval(() => socket.write('x'.repeat(1000)), 20);
    socket.once('close', () => clearInterval(pump));
    t.after(() => clearInterval(pump));
  }
  // Until room is made for it, it may be told to come again.
  for (const until = performance.now() + 5000; ; await delay(20)) {
    const { status } = await fetch(`${exporter.url}/metrics${SMALL}`);
    if (status === 200) break;
    assert.ok(status === 503 && performance.now() < until, `${status}`);
  }
  const askedAt = performance.now();
  assert.equal(await exporter.stop('SIGTERM'), 0);
  const seconds = (performance.now() - askedAt) / 1000;
  t.diagnostic(`ended after ${seconds.toFixed(1)} s`);
  assert.ok(seconds < 5);
});

test('noise on 200 connections, between requests that are repeated, harms nobody', async (t) => {
  const exporter = await started(t);
  const request = `GET /metrics${SMALL} HTTP/1.1\r\nHost: x\r\n\r\n`;
  const before = residentOf(exporter);
  // A small generator, so that a failure can be had again.
  let state = 12345;
  const next = (limit: number): number => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state % limit;
  };
  for (let round = 0; round < 200; round += 1) {
    const socket = connect(exporter.port, '127.0.0.1').on('error', () => {});
    const closed = new Promise((resolve) => socket.once('close', resolve));
    socket.resume();
    for (let i = 0; i < 6; i += 1) {
      const noise = Buffer.from(request.repeat(2)).subarray(next(20), 40 + next(60));
      for (let flips = next(4); flips > 0; flips -= 1) noise[next(noise.length)] = next(256);
      socket.write(next(3) === 0 ? noise : request);
      if (next(2) === 0) await delay(1);
    }
    if (next(2) === 0) socket.end();
    else socket.destroy();
    await Promise.race([closed, delay(50)]);
    socket.destroy();
  }
  assert.match(await exporter.scrape(SMALL), /^node_load1 /m);
  const grown = residentOf(exporter) - before;
  t.diagnostic(`memory grown by ${(grown / 1e6).toFixed(1)} MB`);
  assert.ok(grown < 60e6);
  assert.match(await exporter.scrape(SMALL), /^promhttp_metric_handler_requests_in_flight 1$/m);
  assert.equal(await exporter.stop(), 0);
});

test('what is sent beside a request is not read for long', async (t) => {
  const exporter = await started(t);
  await exporter.scrape(SMALL);
  const before = residentOf(exporter);
  const piece = Buffer.alloc(1_000_000, 'x');
  const send = async (head: string): Promise<number> => {
    const socket = await connected(t, exporter);
    socket.resume().write(`POST /metrics${SMALL} HTTP/1.1\r\nHost: x\r\n${head}\r\n\r\n`);
    for (let sent = 0; sent < 50; sent += 1) {
      if (socket.destroyed) return sent;
      if (!socket.write(piece)) await Promise.race([once(socket, 'drain'), once(socket, 'close')]).catch(() => {});
    }
    return 50;
  };
  const long = 'Content-Length: 2000000000';
  const chunked = `Transfer-Encoding: chunked\r\n\r\n${(2e9).toString(16)}`;
  const sent = await Promise.all([long, chunked, long, chunked, long, chunked, long, chunked].map(send));
  const grown = residentOf(exporter) - before;
  t.diagnostic(`taken of 50 MB each: ${sent} MB, memory grown by ${(grown / 1e6).toFixed(1)} MB`);
  assert.ok(Math.max(...sent) < 50);
  assert.ok(grown < 30e6);
  assert.match(await exporter.scrape(SMALL), /^node_load1 /m);
});
