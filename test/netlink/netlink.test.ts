import assert from 'node:assert/strict';
import { networkInterfaces } from 'node:os';
import { test } from 'node:test';
import fc from 'fast-check';
import { LimitError } from '../../src/core/errors.ts';
import { type Channel, createNetlink, openNetlink, parseDatagram } from '../../src/netlink/netlink.ts';
import { NETLINK_ROUTE } from '../../src/netlink/protocols.ts';
import { ALL_ADDRESSES, ALL_LINKS, parseDeviceAddress } from '../../src/netlink/rtnetlink.ts';
import { SyscallError } from '../../src/syscall/libc.ts';
import { message, outcome } from '../helpers/netlink.ts';

const REQUEST = { type: 18, reply: 16, body: new Uint8Array(0) };
const [MULTI, INTERRUPTED] = [0x2, 0x12];
const [NOOP, ERROR, DONE, OVERRUN, THING] = [1, 2, 3, 4, 16];

const int32 = (value: number): Buffer => {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32LE(value);
  return bytes;
};
const thing = (value: number, sequence: number, flags = MULTI): Buffer => message(THING, flags, sequence, int32(value));
const done = (sequence: number, errno = 0): Buffer => message(DONE, MULTI, sequence, int32(errno));
const numberOf = (view: DataView, start: number): number => view.getInt32(start, true);

/** A kernel that answers one question after the other with these datagrams, and tells how often it was reset. */
function scripted(...answers: readonly ((sequence: number) => readonly (Uint8Array | Error)[])[]) {
  const questions = [...answers];
  let waiting: (Uint8Array | Error)[] = [];
  const seen = { resets: 0, requests: [] as Uint8Array[], roomBytes: 0 };
  const channel: Channel = {
    send(request) {
      seen.requests.push(request);
      waiting = [...(questions.shift()?.(Buffer.from(request).readUInt32LE(8)) ?? [])];
    },
    receive(into) {
      seen.roomBytes = into.length;
      const next = waiting.shift() ?? new SyscallError('recvfrom', 11);
      if (next instanceof Error) throw next;
      into.set(next.subarray(0, into.length));
      return next.length;
    },
    reset() {
      seen.resets += 1;
      waiting = [];
    },
    deviceName: () => undefined,
  };
  return { netlink: createNetlink(channel), seen };
}

test('a dump is what every message says, over as many datagrams as it takes', () => {
  const { netlink, seen } = scripted((sequence) => [
    Buffer.concat([thing(1, sequence), message(NOOP, 0, sequence, int32(7)), thing(2, sequence)]),
    Buffer.concat([message(THING + 1, MULTI, sequence, int32(8)), thing(9, sequence + 5)]),
    new Uint8Array(0),
    Buffer.concat([thing(3, sequence), done(sequence), thing(4, sequence)]),
  ]);
  assert.deepEqual(netlink.dump(REQUEST, numberOf), [1, 2, 3]);
  assert.equal(seen.resets, 0);
  const [request] = seen.requests as [Buffer];
  assert.deepEqual([...Buffer.from(request).subarray(0, 8)], [16, 0, 0, 0, 18, 0, 0x01, 0x03]);
});

test('what parses may leave a message out', () => {
  const { netlink } = scripted((sequence) => [Buffer.concat([thing(1, sequence), thing(2, sequence), done(sequence)])]);
  assert.deepEqual(
    netlink.dump(REQUEST, (view, start) => (numberOf(view, start) === 1 ? undefined : 'two')),
    ['two'],
  );
});

for (const [why, first] of [
  ['the list changed while it was written', (s: number) => [thing(1, s, INTERRUPTED), done(s)]],
  ['the list changed at its very end', (s: number) => [thing(1, s), message(DONE, INTERRUPTED, s, int32(0))]],
  ['a signal came', () => [new SyscallError('recvfrom', 4)]],
  ['the kernel had no room', () => [new SyscallError('recvfrom', 105)]],
  ['the kernel had no room in the middle', (s: number) => [thing(1, s), message(OVERRUN, 0, s, Buffer.alloc(0))]],
] as const)
  test(`a question is asked again where ${why}`, () => {
    const { netlink, seen } = scripted(first, (s) => [thing(5, s), done(s)]);
    assert.deepEqual(netlink.dump(REQUEST, numberOf), [5]);
    assert.equal(seen.resets, 1);
  });

test('what is counted begins again where the question is asked again', () => {
  const interrupted = (s: number) => [Buffer.concat([thing(1, s), thing(2, s)]), thing(4, s, INTERRUPTED)];
  const { netlink } = scripted(interrupted, (s) => [Buffer.concat([thing(8, s), thing(16, s), done(s)])]);
  const sum = netlink.fold(
    REQUEST,
    () => ({ sum: 0 }),
    (state, view, start) => {
      state.sum += numberOf(view, start);
    },
  );
  assert.deepEqual(sum, { sum: 24 });
});

test('a question is not asked for ever', () => {
  const { netlink, seen } = scripted(...Array.from({ length: 50 }, () => (s: number) => [thing(1, s, INTERRUPTED)]));
  assert.throws(() => netlink.dump(REQUEST, numberOf), { name: 'InterruptedError' });
  assert.deepEqual([seen.resets, seen.requests.length], [8, 8]);
});

test('a datagram that is longer than the buffer makes it grow, and the question is asked again', () => {
  const long = (s: number): Uint8Array[] => [message(THING, MULTI, s, Buffer.alloc(100_000)), done(s)];
  const { netlink, seen } = scripted(long, long);
  assert.equal(netlink.dump(REQUEST, (_, start, end) => end - start)[0], 100_000);
  assert.deepEqual([seen.resets, seen.roomBytes], [1, 131_072]);
  const huge = scripted(() => [{ length: 5 << 20, subarray: () => new Uint8Array(0) } as unknown as Uint8Array]);
  assert.throws(() => huge.netlink.dump(REQUEST, numberOf), LimitError);
});

for (const [why, answer, wanted] of [
  ['an error', (s: number) => [message(ERROR, 0, s, int32(-1))], { code: 'EPERM', syscall: 'netlink' }],
  ['an error at the end of the list', (s: number) => [thing(1, s), done(s, -95)], { code: 'ENOTSUP' }],
  ['an error that is none', (s: number) => [message(ERROR, 0, s, int32(5))], / at byte 16"$/],
  ['nothing', () => [], { code: 'EAGAIN' }],
  ['half a message', (s: number) => [thing(1, s).subarray(0, 18)], /a message of 20 bytes in 18 at byte 0"$/],
  ['half a head', (s: number) => [thing(1, s).subarray(0, 10)], /a message of 0 bytes in 10 at byte 0"$/],
] as const)
  test(`a dump fails over ${why}, and the next one is not troubled by it`, () => {
    const { netlink, seen } = scripted(answer, (s) => [thing(5, s), done(s)]);
    assert.throws(() => netlink.dump(REQUEST, numberOf), wanted);
    assert.equal(seen.resets, 1);
    assert.deepEqual(netlink.dump(REQUEST, numberOf), [5]);
  });

test('an acknowledgement is no error, and a list may end without a number', () => {
  const { netlink } = scripted((s) => [message(ERROR, 0, s, int32(0)), message(DONE, MULTI, s, Buffer.alloc(0))]);
  assert.deepEqual(netlink.dump(REQUEST, numberOf), []);
});

test('an answer without end is not followed', () => {
  let sequence = 0;
  const endless: Channel = {
    send: (request) => {
      sequence = Buffer.from(request).readUInt32LE(8);
    },
    receive(into) {
      const bytes = thing(1, sequence + 1);
      into.set(bytes);
      return bytes.length;
    },
    reset() {},
    deviceName: () => undefined,
  };
  assert.throws(() => createNetlink(endless).dump(REQUEST, numberOf), LimitError);
});

test('parseDatagram reads nothing beyond the datagram and throws nothing but what it knows, whatever it is given', () => {
  const part = fc
    .tuple(
      fc.constantFrom(NOOP, ERROR, DONE, OVERRUN, THING),
      fc.nat(0xffff),
      fc.nat(1),
      fc.uint8Array({ maxLength: 9 }),
    )
    .map(([type, flags, sequence, body]) => message(type, flags, sequence, body));
  const known = ['ParseError', 'SyscallError', 'InterruptedError'];
  fc.assert(
    fc.property(fc.array(part), fc.nat(80), fc.nat(255), fc.nat(20), (parts, at, byte, cut) => {
      const bytes = Buffer.concat(parts);
      if (at < bytes.length) bytes[at] = byte;
      const length = Math.max(0, bytes.length - cut);
      const [zeros, ones] = [0, 0xff].map((around) => {
        const all = new Uint8Array(bytes.length + 64).fill(around);
        all.set(bytes.subarray(0, length));
        const found: string[] = [];
        const take = (view: DataView, start: number, end: number): void => {
          found.push(Buffer.from(view.buffer, start, end - start).toString('hex'));
        };
        const ended = outcome(() =>
          parseDatagram(new DataView(all.buffer), length, { reply: THING, sequence: 1 }, take),
        );
        return { ended, found };
      });
      assert.deepEqual(zeros, ones);
      assert.ok(typeof zeros?.ended !== 'string' || known.includes(zeros.ended), String(zeros?.ended));
    }),
  );
});

test('this machine has a loopback device, which netlink tells of without a privilege', () => {
  const route = openNetlink(NETLINK_ROUTE);
  try {
    const count = (): number => route.dump(ALL_LINKS, (_, start, end) => end - start).length;
    assert.ok(count() > 0);
    assert.equal(route.deviceName(2 ** 31 - 1), undefined);
    const addresses = route.dump(ALL_ADDRESSES, parseDeviceAddress);
    for (const { address } of Object.values(networkInterfaces()).flatMap((each) => each ?? []))
      assert.ok(
        addresses.some((each) => each.address === address),
        `${address} is not among them`,
      );
    const lo = addresses.find(({ address }) => address === '127.0.0.1');
    assert.equal(route.deviceName(lo?.index ?? 0), 'lo');
    assert.throws(() => route.dump({ type: 0xfff0, reply: 0, body: new Uint8Array(16) }, numberOf), {
      code: 'ENOTSUP',
    });
    assert.ok(count() > 0);
  } finally {
    route.close();
  }
});
