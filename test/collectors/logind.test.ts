import assert from 'node:assert/strict';
import { test } from 'node:test';
import logind, { countSessions } from '../../src/collectors/logind.ts';
import { ParseError } from '../../src/core/errors.ts';
import { type Asked, type Body, rows, serve, startBus, type Value, variant } from '../helpers/bus.ts';
import { golden, scrape } from '../helpers/scrape.ts';

type Session = readonly [seat: string, remote: boolean, type: string, sessionClass: string];

const SESSIONS: readonly Session[] = [
  ['seat0', false, 'wayland', 'user'],
  ['seat0', false, 'x11', 'greeter'],
  ['', true, 'tty', 'user'],
  ['', true, 'tty', 'user'],
  ['', false, 'unspecified', 'manager'],
  ['seat9', false, 'tty', 'user'],
];

/** Answers as logind with these sessions; those of number `gone` end before they are asked. */
const logindOf =
  (sessions: readonly Session[], gone?: number) =>
  ({ path, member, args }: Asked): Body | Error => {
    if (member === 'ListSeats') return rows('so', [['seat0', '/seat/0']]);
    if (member === 'ListSessions')
      return rows(
        'susso',
        sessions.map(([seat], i) => [`c${i}`, 1000, 'somebody', seat, `/session/${i}`]),
      );
    const i = Number(path.slice('/session/'.length));
    if (i === gone)
      return Object.assign(new Error('Unknown session'), { name: 'org.freedesktop.DBus.Error.UnknownObject' });
    const [, remote, type, sessionClass] = sessions[i] as Session;
    const value = { Remote: remote, Type: type, Class: sessionClass }[args[1] as string] as Value;
    return variant(typeof value === 'boolean' ? 'b' : 's', value);
  };

test('logind: what a bus says scrapes to the golden text', async (t) => {
  await startBus(t, (socket) => serve(socket, logindOf(SESSIONS)));
  await golden(t, logind);
});

test('every combination is there, on each seat and on none', async (t) => {
  await startBus(t, (socket) => serve(socket, logindOf(SESSIONS)));
  const { text } = await scrape(logind);
  const samples = text.split('\n').filter((line) => line.startsWith('node_logind_sessions{'));
  assert.equal(samples.length, 2 * 7 * 5 * 2);
  assert.match(text, /\{class="user",remote="true",seat="",type="tty"\} 2\n/);
  assert.match(text, /\{class="other",remote="false",seat="",type="unspecified"\} 1\n/);
  assert.doesNotMatch(text, /seat9/);
});

test('a session that ends meanwhile costs itself alone', async (t) => {
  await startBus(t, (socket) => serve(socket, logindOf(SESSIONS, 2)));
  const { text, error } = await scrape(logind);
  assert.equal(error, undefined);
  assert.match(text, /\{class="user",remote="true",seat="",type="tty"\} 1\n/);
});

test('a session with a property of another kind costs itself alone', async (t) => {
  await startBus(t, (socket) =>
    serve(socket, (asked) =>
      asked.path === '/session/2' && asked.args[1] === 'Type' ? variant('d', 1) : logindOf(SESSIONS)(asked),
    ),
  );
  const { text, error } = await scrape(logind);
  assert.ok(error instanceof ParseError);
  assert.match(text, /\{class="user",remote="true",seat="",type="tty"\} 1\n/);
});

test('a logind that refuses fails the collector', async (t) => {
  await startBus(t, (socket) =>
    serve(socket, () => Object.assign(new Error('not you'), { name: 'org.freedesktop.DBus.Error.AccessDenied' })),
  );
  const { success, text, error } = await scrape(logind);
  assert.deepEqual([success, text], [false, '']);
  assert.match((error as Error).message, /AccessDenied: not you/);
});

test('what nobody knows counts as other, and a seat counts once', () => {
  const odd = { seat: 'a', remote: false, type: 'hologram', class: '' };
  const counted = countSessions(['a', 'a', ''], [odd, odd]);
  assert.deepEqual(
    counted.filter(([count]) => count > 0),
    [[2, 'a', 'false', 'other', 'other']],
  );
  assert.equal(counted.length, 2 * 7 * 5 * 2);
});
