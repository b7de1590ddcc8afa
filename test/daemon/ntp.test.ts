import assert from 'node:assert/strict';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import { type TestContext, test } from 'node:test';
import fc from 'fast-check';
import { ParseError } from '../../src/core/errors.ts';
import { askNtp, encodeNtpRequest, parseNtpPacket } from '../../src/daemon/ntp.ts';
import { secondsBetween, unixSeconds } from '../../src/parse/ntp_time.ts';
import { descriptorsHeld } from '../helpers/bus.ts';

/** A server's packet of 48 bytes; times in NTP's 64 bits. */
interface Told {
  readonly flags?: number;
  readonly stratum?: number;
  readonly origin: bigint;
  readonly receive?: bigint;
  readonly transmit?: bigint;
}

const ntpNow = (): bigint => ((BigInt(Date.now()) + 2_208_988_800_000n) << 32n) / 1000n;

function packet({ flags = 0x24, stratum = 2, origin, receive = ntpNow(), transmit = ntpNow() }: Told): Buffer {
  const bytes = Buffer.alloc(48);
  bytes.set([flags, stratum, 6, 0xe8]);
  bytes.writeUInt32BE(0x8000, 4);
  bytes.writeUInt32BE(0x4000, 8);
  bytes.writeBigUInt64BE(receive - (60n << 32n), 16);
  bytes.writeBigUInt64BE(origin, 24);
  bytes.writeBigUInt64BE(receive, 32);
  bytes.writeBigUInt64BE(transmit, 40);
  return bytes;
}

const cookieOf = (request: Buffer): bigint => request.readBigUInt64BE(40);

/** A server on a free port of the loopback, closed with the test. */
async function serve(t: TestContext, answer: (request: Buffer) => Buffer | undefined, family: 4 | 6 = 4) {
  const socket = createSocket(`udp${family}`);
  t.after(() => socket.close());
  socket.on('message', (request, { port, address }) => {
    const reply = answer(request);
    if (reply !== undefined) socket.send(reply, port, address);
  });
  const host = family === 4 ? '127.0.0.1' : '::1';
  socket.bind(0, host);
  await once(socket, 'listening');
  return { host, port: socket.address().port, version: 4, ttl: 1 };
}

const never = new AbortController().signal;

test('a packet is parsed', () => {
  assert.deepEqual(
    parseNtpPacket(packet({ flags: 0b01_100_100, stratum: 3, origin: 5n, receive: 1n << 40n, transmit: 7n })),
    {
      leap: 1,
      mode: 4,
      stratum: 3,
      rootDelay: 0.5,
      rootDispersion: 0.25,
      reference: (1n << 40n) - (60n << 32n),
      origin: 5n,
      receive: 1n << 40n,
      transmit: 7n,
    },
  );
});

test('a packet that is cut off is refused, and any other is read', () => {
  assert.throws(() => parseNtpPacket(Buffer.alloc(47)), ParseError);
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 48, maxLength: 96 }), (bytes) => {
      const { leap, mode, rootDelay } = parseNtpPacket(Buffer.from(bytes));
      assert.ok(leap >= 0 && leap <= 3 && mode >= 0 && mode <= 7 && rootDelay >= 0);
    }),
  );
});

test('a request has its version, the mode of a client, and nothing but the cookie', () => {
  const request = encodeNtpRequest(3, 0x0123456789abcdefn);
  assert.equal(request.toString('hex'), `1b${'00'.repeat(39)}0123456789abcdef`);
});

for (const [time, seconds] of [
  [2_208_988_800n << 32n, 0],
  [(2_208_988_800n << 32n) + (1n << 31n), 0.5],
  [0xffff_ffffn << 32n, 2_085_978_495],
  [1n << 32n, 2_085_978_497],
] as const)
  test(`the NTP time ${time} is ${seconds} since 1970`, () => assert.equal(unixSeconds(time), seconds));

test('a time between two is right across the end of the era', () => {
  assert.equal(secondsBetween(0xffff_ffffn << 32n, 1n << 32n), 2);
  assert.equal(secondsBetween(1n << 32n, 0xffff_ffffn << 32n), -2);
});

for (const family of [4, 6] as const)
  test(`a server is asked over IPv${family}, and its times lie between ours`, async (t) => {
    const requests: Buffer[] = [];
    const server = await serve(
      t,
      (request) => {
        requests.push(request);
        return packet({ origin: cookieOf(request) });
      },
      family,
    );
    const { packet: got, sent, received } = await askNtp({ ...server, version: 3 }, never);
    assert.equal(got.stratum, 2);
    assert.equal(requests[0]?.[0], 0x1b);
    assert.equal(requests.length, 1);
    // The test's server has a clock of whole milliseconds.
    assert.ok(secondsBetween(sent, got.receive) > -0.002, 'it came before it went');
    assert.ok(secondsBetween(got.transmit, received) > -0.001);
    assert.ok(secondsBetween(sent, received) < 1);
  });

for (const [why, answer, said] of [
  ['repeats another cookie', (request: Buffer) => packet({ origin: cookieOf(request) ^ 1n }), /another request/],
  ['answers as a client', (request: Buffer) => packet({ origin: cookieOf(request), flags: 0x23 }), /mode 3/],
  ['has no time', (request: Buffer) => packet({ origin: cookieOf(request), transmit: 0n }), /without a time/],
  [
    'goes backwards',
    (request: Buffer) => packet({ origin: cookieOf(request), receive: ntpNow(), transmit: ntpNow() - (1n << 32n) }),
    /before the request came/,
  ],
  ['is cut off', (request: Buffer) => packet({ origin: cookieOf(request) }).subarray(0, 40), /40 bytes/],
  ['says nothing', () => undefined, /no reply within 1 s/],
] as const)
  test(`a server that ${why} is refused`, async (t) => {
    const server = await serve(t, answer);
    await assert.rejects(askNtp(server, never), said);
  });

test('a server that is not there is refused at once, by name and port', async (t) => {
  const { host, port } = await serve(t, () => undefined);
  await assert.rejects(
    askNtp({ host, port: port === 1 ? 2 : 1, version: 4, ttl: 0 }, never),
    /127\.0\.0\.1:\d: .*ECONNREFUSED/,
  );
});

test('a turn that is over ends the question', async (t) => {
  const server = await serve(t, () => undefined);
  const turn = new AbortController();
  const asked = askNtp(server, turn.signal);
  turn.abort(new Error('too late'));
  await assert.rejects(asked);
});

test('no descriptor is left, whatever the server did', async (t) => {
  let round = 0;
  const server = await serve(t, (request) => packet({ origin: cookieOf(request) ^ BigInt(round++ % 2) }));
  const before = readdirSync('/proc/self/fd').length;
  for (let i = 0; i < 200; i += 1)
    await askNtp({ ...server, port: i % 3 === 0 ? 1 : server.port }, never).catch(() => {});
  assert.ok(round > 100);
  assert.ok((await descriptorsHeld(before)) <= before);
});
