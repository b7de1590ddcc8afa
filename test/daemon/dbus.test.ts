import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import type { Socket } from 'node:net';
import { test } from 'node:test';
import fc from 'fast-check';
import { askEach, CallError, type Peer } from '../../src/core/daemons.ts';
import { UsageError } from '../../src/core/errors.ts';
import { dbusDaemon, systemBus } from '../../src/daemon/dbus.ts';
import {
  type Asked,
  descriptorsHeld,
  message,
  nothing,
  rows,
  serve,
  startBus,
  values,
  variant,
} from '../helpers/bus.ts';

for (const [text, expected] of [
  [undefined, { path: '/var/run/dbus/system_bus_socket', direct: false }],
  ['', { path: '/var/run/dbus/system_bus_socket', direct: false }],
  ['unix:path=/a/bus', { path: '/a/bus', direct: false }],
  ['unix:path=/a/bus,guid=12ab', { path: '/a/bus', direct: false }],
  ['unix:guid=12ab,path=/a/bus', { path: '/a/bus', direct: false }],
  ['unix:abstract=/a/bus', { path: '\0/a/bus', direct: false }],
  ['unix:path=/a%20b%2c', { path: '/a b,', direct: false }],
  ['tcp:host=localhost,port=1;unix:path=/b', { path: '/b', direct: false }],
] as const)
  test(`the address ${JSON.stringify(text)}`, () => assert.deepEqual(systemBus(text), expected));

for (const text of ['tcp:host=localhost,port=1', 'unix:tmpdir=/tmp', 'unixexec:path=/bin/true', '/a/bus', 'unix:path='])
  test(`the address ${text} names no socket`, () => assert.throws(() => systemBus(text), UsageError));

/** For what is answered: only a machine that is very busy takes longer. */
const PATIENCE_MS = 20_000;
/** For what is not. */
const DEADLINE_MS = 200;
const ask = <T>(use: (peer: Peer) => Promise<T>, signal = AbortSignal.timeout(PATIENCE_MS)): Promise<T> =>
  dbusDaemon('a.b', systemBus())(signal, use);
const property = (peer: Peer) => peer.property('/c', 'd.e', 'F');

test('a property and rows are asked for on one connection, which is closed then', async (t) => {
  const calls: Asked[] = [];
  const closed = Promise.withResolvers<void>();
  await startBus(t, (socket) => {
    socket.once('close', closed.resolve);
    serve(socket, (call) => {
      calls.push(call);
      return call.member === 'Get' ? variant('u', 17) : rows('so', [['x', '/y']]);
    });
  });
  const got = await ask(async (peer) => [await property(peer), await peer.rows('/r', 'd.e', 'List', 'so')]);
  assert.deepEqual(got, [17, [['x', '/y']]]);
  assert.deepEqual(
    calls.map(({ path, member, args }) => [path, member, args]),
    [
      ['/c', 'Get', ['d.e', 'F']],
      ['/r', 'List', []],
    ],
  );
  await closed.promise;
});

test('what is refused rejects, and the next is answered', async (t) => {
  await startBus(t, (socket) =>
    serve(socket, ({ path }) =>
      path === '/c' ? Object.assign(new Error('not here'), { name: 'a.b.Unknown' }) : variant('s', 'fine'),
    ),
  );
  const got = await ask(async (peer) => {
    await assert.rejects(
      property(peer),
      (error) => error instanceof CallError && /a\.b\.Unknown: not here/.test(error.message),
    );
    return peer.property('/other', 'd.e', 'F');
  });
  assert.equal(got, 'fine');
});

test('no more than a bus allows are asked at a time', async (t) => {
  let open = 0;
  let most = 0;
  await startBus(t, (socket) =>
    serve(socket, ({ serial }) => {
      open += 1;
      most = Math.max(most, open);
      setImmediate(() => {
        open -= 1;
        socket.write(message({ type: 2, replySerial: serial }, variant('u', 1)));
      });
      return undefined;
    }),
  );
  let answers = 0;
  await ask(
    (peer) =>
      askEach(Array.from({ length: 1000 }), async () => {
        const one = await property(peer);
        answers += Number(one);
      }),
    AbortSignal.timeout(PATIENCE_MS),
  );
  assert.equal(answers, 1000);
  assert.ok(most > 1 && most <= 128, `${most} at a time`);
});

test('replies come in pieces, and in another order, and between what nobody asked for', async (t) => {
  await startBus(t, (socket) => {
    const replies: Buffer[] = [];
    serve(socket, ({ serial }) => {
      replies.unshift(message({ type: 2, replySerial: serial }, variant('u', serial)));
      if (replies.length < 3) return undefined;
      const signal = message({ type: 4, replySerial: 0 }, values('s', 'NameAcquired'));
      const stranger = message({ type: 2, replySerial: 999 }, nothing);
      const all = Buffer.concat([signal, ...replies, stranger]);
      let at = 0;
      const next = (): void => {
        if (at >= all.length) return;
        socket.write(all.subarray(at, at + 7));
        at += 7;
        setImmediate(next);
      };
      next();
      return undefined;
    });
  });
  const got = await ask(
    (peer) => Promise.all([property(peer), property(peer), property(peer)]),
    AbortSignal.timeout(PATIENCE_MS),
  );
  assert.deepEqual(got, [2, 3, 4]);
});

const GARBAGE = Buffer.from(Array.from({ length: 4096 }, (_, i) => (i * 167 + 13) % 256));
/** Empty structures without end, as a message that is well-formed but for them. */
const EMPTY_STRUCTURES = { signature: 'a()', bytes: Buffer.from('08000000000000000000000000000000', 'hex') };

/** What the signal says whose time is over. */
const SILENT = /timeout/i;

/** How a bus can fail, and what is said of it. */
const FAULTS: readonly (readonly [string, (socket: Socket) => void, RegExp])[] = [
  ['says nothing', () => {}, SILENT],
  ['closes at once', (socket) => socket.end(), /closed the connection/],
  ['refuses the user', (socket) => socket.end('REJECTED EXTERNAL\r\n'), /is refused: REJECTED EXTERNAL/],
  ['says one line without end', (socket) => socket.write(Buffer.alloc(5000, 'x')), /a line of 5000 bytes/],
  ['says garbage for a greeting', (socket) => socket.write(Buffer.concat([GARBAGE, Buffer.from('\r\n')])), /./],
  ['answers no call', (socket) => serve(socket, () => undefined), SILENT],
  [
    'closes halfway',
    (socket) =>
      serve(
        socket,
        (_, each) => void each.end(message({ type: 2, replySerial: 2 }, variant('s', 'cut')).subarray(0, 40)),
      ),
    /closed the connection/,
  ],
  ['hangs up', (socket) => serve(socket, (_, each) => void each.destroy()), /closed the connection|ECONNRESET|EPIPE/],
  ['sends garbage', (socket) => serve(socket, (_, each) => void each.write(GARBAGE)), /cannot parse|LIMIT|bytes/],
  ['sends empty structures', (socket) => serve(socket, () => EMPTY_STRUCTURES), /'a\(\)' instead of 'v'/],
  ['sends another type', (socket) => serve(socket, () => values('s', 'x')), /'s' instead of 'v'/],
  [
    'announces gigabytes',
    (socket) => serve(socket, (_, each) => void each.write(Buffer.from('6c020001ffffff7f0000000100000000', 'hex'))),
    /a message of \d+ bytes/,
  ],
];

for (const [why, behave, said] of FAULTS)
  test(`a bus that ${why} costs no more than the time there is`, async (t) => {
    await startBus(t, behave);
    const isSilent = said.source === SILENT.source;
    const startedAt = performance.now();
    await assert.rejects(ask(property, AbortSignal.timeout(isSilent ? DEADLINE_MS : PATIENCE_MS)), said);
    assert.ok(performance.now() - startedAt < PATIENCE_MS / 2);
  });

test('whatever a bus sends, in whatever pieces, the question ends', async (t) => {
  let pieces: readonly Uint8Array[] = [];
  await startBus(t, (socket) =>
    serve(socket, () => {
      for (const piece of pieces) socket.write(piece);
      socket.end();
      return undefined;
    }),
  );
  const start = fc.constantFrom(
    new Uint8Array(),
    message({ type: 2, replySerial: 2 }, variant('s', 'x')),
    message({ type: 4, replySerial: 0 }, values('s', 'x')).subarray(0, 50),
  );
  const whatever = fc.asyncProperty(
    start,
    fc.array(fc.uint8Array({ maxLength: 100 }), { maxLength: 5 }),
    async (first, more) => {
      pieces = [first, ...more];
      await ask(property, AbortSignal.timeout(PATIENCE_MS)).then(
        (value) => assert.equal(value, 'x'),
        (error) => assert.match(String(error), /D-Bus|closed the connection|EPIPE|ECONNRESET/),
      );
    },
  );
  await fc.assert(whatever, { numRuns: 100 });
});

test('a bus that is not there, and a signal that is over', async (t) => {
  const path = await startBus(t, (socket) => serve(socket, () => variant('u', 1)));
  await assert.rejects(
    dbusDaemon('a.b', { path: `${path}-not`, direct: false })(AbortSignal.timeout(PATIENCE_MS), property),
    /ENOENT/,
  );
  await assert.rejects(ask(property, AbortSignal.abort(new Error('too late'))), /too late/);
});

test('the next address is taken where the first does not answer, without a greeting where it is direct', async (t) => {
  const members: string[] = [];
  const path = await startBus(t, (socket) =>
    serve(socket, ({ member }) => {
      members.push(member);
      return variant('u', 1);
    }),
  );
  const [gone, here] = [
    { path: `${path}-not`, direct: false },
    { path, direct: true },
  ];
  const signal = AbortSignal.timeout(PATIENCE_MS);
  assert.equal(await dbusDaemon('a.b', gone, here)(signal, property), 1);
  assert.deepEqual(members, ['Get']);
  await assert.rejects(dbusDaemon('a.b', gone, { ...gone, path: `${path}-neither` })(signal, property), /-not\b/);
});

test('no descriptor is left, whatever the bus did', async (t) => {
  const behaviours = FAULTS.filter(([why]) => !/nothing|no call/.test(why)).map(([, behave]) => behave);
  let next = 0;
  await startBus(t, (socket) => (behaviours[next++ % behaviours.length] as (socket: Socket) => void)(socket));
  const before = readdirSync('/proc/self/fd').length;
  for (let round = 0; round < 300; round += 1) await assert.rejects(ask(property, AbortSignal.timeout(PATIENCE_MS)));
  const held = await descriptorsHeld(before);
  assert.ok(held <= before, `${held} descriptors, ${before} before`);
});
