import assert from 'node:assert/strict';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { test } from 'node:test';
import ntp, { compareClocks, createLeapWatch, isValid } from '../../src/collectors/ntp.ts';
import type { NtpPacket, NtpReply } from '../../src/core/daemons.ts';
import { UsageError } from '../../src/core/errors.ts';
import { prepared, scrape } from '../helpers/scrape.ts';

/** NTP's time of a Unix time. */
const at = (seconds: number): bigint => BigInt(Math.round((seconds + 2_208_988_800) * 2 ** 20)) << 12n;
const NOON = 1_700_049_600;

const PACKET: NtpPacket = {
  leap: 0,
  mode: 4,
  stratum: 2,
  rootDelay: 0.5,
  rootDispersion: 0.25,
  reference: at(NOON - 60),
  origin: 0n,
  receive: at(NOON + 0.5),
  transmit: at(NOON + 0.75),
};
const REPLY: NtpReply = { packet: PACKET, sent: at(NOON), received: at(NOON + 1) };
const told = (packet: Partial<NtpPacket>): NtpReply => ({ ...REPLY, packet: { ...PACKET, ...packet } });

test('the clocks are compared', () => {
  // Half a second there, a quarter back: the server is ahead by the half of what is between.
  assert.deepEqual(compareClocks(REPLY), { rtt: 0.75, offset: 0.125, rootDistance: 0.875, minError: 0 });
});

for (const [what, reply, minError, offset] of [
  ['behind', told({ receive: at(NOON - 2), transmit: at(NOON - 2) }), 2, -2.5],
  ['ahead', told({ receive: at(NOON + 4), transmit: at(NOON + 4) }), 3, 3.5],
] as const)
  test(`a clock that is ${what} is off by more than the way takes`, () => {
    assert.equal(compareClocks(reply).minError, minError);
    assert.equal(compareClocks(reply).offset, offset);
  });

test('a way that took no time has its least distance', () => {
  const reply = {
    ...told({ rootDelay: 0, rootDispersion: 0, receive: at(NOON), transmit: at(NOON) }),
    received: at(NOON),
  };
  assert.deepEqual(compareClocks(reply), { rtt: 0, offset: 0, rootDistance: 0.005, minError: 0 });
});

for (const [what, packet, valid] of [
  ['answers', {}, true],
  ['announces a leap second', { leap: 1 }, true],
  ['is not synchronised', { leap: 3 }, false],
  ['refuses', { stratum: 0 }, false],
  ['is of the last stratum', { stratum: 15 }, true],
  ['is beyond the last stratum', { stratum: 16 }, false],
  ['was set in the future', { reference: at(NOON + 60) }, false],
  ['was set 36 hours ago', { reference: at(NOON - 36 * 3600) }, true],
  ['was set 37 hours ago', { reference: at(NOON - 37 * 3600) }, false],
  ['is 16 seconds off at most', { rootDispersion: 15.75 }, true],
  ['may be off by more', { rootDispersion: 16 }, false],
] as const)
  test(`a server that ${what} is ${valid ? '' : 'not '}valid`, () => assert.equal(isValid(told(packet)), valid));

test('a leap second is remembered for the day after it, and the day before', () => {
  const tolerance = createLeapWatch();
  const midnight = NOON + 43_200;
  assert.equal(tolerance(told({})), 0);
  assert.equal(tolerance(told({ leap: 2 })), 1);
  assert.equal(tolerance(told({ transmit: at(midnight + 10) })), 1);
  assert.equal(tolerance(told({ transmit: at(midnight + 86_399) })), 1);
  assert.equal(tolerance(told({ transmit: at(midnight + 86_401) })), 0);
});

for (const argv of [
  ['--collector.ntp.server=192.0.2.1'],
  ['--collector.ntp.server=localhost'],
  ['--collector.ntp.server='],
  ['--collector.ntp.server=::2'],
  ['--collector.ntp.protocol-version=1'],
  ['--collector.ntp.protocol-version=5'],
  ['--collector.ntp.server-port=0'],
  ['--collector.ntp.server-port=65536'],
  ['--collector.ntp.local-offset-tolerance=-1ms'],
])
  test(`${argv.join(' ')} cannot be used`, () => assert.throws(() => prepared(ntp, { argv }), UsageError));

for (const argv of [
  ['--collector.ntp.server=127.1.2.3'],
  ['--collector.ntp.server=::1'],
  ['--collector.ntp.server=::ffff:127.0.0.1'],
  ['--collector.ntp.server=time.example', '--collector.ntp.server-is-local'],
])
  test(`${argv.join(' ')} can be used`, () => assert.doesNotThrow(() => prepared(ntp, { argv })));

/** A server on the loopback whose clock is ahead by some seconds. */
async function serverAhead(t: { after(end: () => void): void }, seconds: number): Promise<string> {
  const socket = createSocket('udp4');
  t.after(() => socket.close());
  socket.on('message', (request, { port, address }) => {
    const now = at(Date.now() / 1000 + seconds);
    const bytes = Buffer.alloc(48);
    bytes.set([0x64, 3]);
    for (const [offset, time] of [
      [16, now - (60n << 32n)],
      [24, request.readBigUInt64BE(40)],
      [32, now],
      [40, now],
    ] as const)
      bytes.writeBigUInt64BE(time, offset);
    socket.send(bytes, port, address);
  });
  socket.bind(0, '127.0.0.1');
  await once(socket, 'listening');
  return `--collector.ntp.server-port=${socket.address().port}`;
}

for (const [seconds, extra, sane] of [
  [0, ['--collector.ntp.local-offset-tolerance=50ms'], 1],
  [60, ['--collector.ntp.local-offset-tolerance=50ms'], 0],
  [60, ['--collector.ntp.local-offset-tolerance=61s'], 1],
  [0, ['--collector.ntp.local-offset-tolerance=50ms', '--collector.ntp.max-distance=1ms'], 0],
] as const)
  test(`a server that is ${seconds} s ahead is ${sane === 1 ? '' : 'not '}sane with ${extra.join(' ')}`, async (t) => {
    const { text, error } = await scrape(ntp, { argv: [await serverAhead(t, seconds), ...extra] });
    assert.equal(error, undefined);
    const value = (name: string): number => Number(new RegExp(`^node_ntp_${name} (\\S+)$`, 'm').exec(text)?.[1]);
    assert.equal(value('sanity'), sane);
    assert.equal(value('stratum'), 3);
    assert.equal(value('leap'), 1);
    // No more can be known than how long it took; and this server's clock is of whole milliseconds.
    assert.ok(Math.abs(value('offset_seconds') - seconds) < value('rtt_seconds') / 2 + 0.002, text);
    assert.ok(Math.abs(value('reference_timestamp_seconds') - (Date.now() / 1000 + seconds - 60)) < 2);
    assert.ok(value('rtt_seconds') >= 0 && value('rtt_seconds') < 1);
    assert.deepEqual([value('root_delay_seconds'), value('root_dispersion_seconds')], [0, 0]);
  });
