import assert from 'node:assert/strict';
import { closeSync, openSync, writeSync } from 'node:fs';
import process from 'node:process';
import { type TestContext, test } from 'node:test';
import fc from 'fast-check';
import type { Acquired, Held } from '../../src/core/collector.ts';
import { errnoOf } from '../../src/core/errors.ts';
import { NO_GROUP, openEvent } from '../../src/perf/perf_event.ts';
import {
  HANDOVER_VARIABLE,
  HandoverError,
  ownStartTime,
  takeHandover,
  writeHandover,
} from '../../src/privilege/handover.ts';
import { syscall } from '../../src/syscall/libc.ts';

const F_ADD_SEALS = 1033;

function opened(t: TestContext, path: string): number {
  const fd = openSync(path, 'r');
  t.after(() => closeSync(fd));
  return fd;
}

/** A perf event, where this user may open one. */
function counter(t: TestContext): number | undefined {
  try {
    const fd = openEvent({ type: 1, config: 3n }, 0, NO_GROUP);
    t.after(() => closeSync(fd));
    return fd;
  } catch (error) {
    t.diagnostic(`without a perf event: ${errnoOf(error)}`);
    return undefined;
  }
}

/** What the first stage would have said, with some of it said otherwise. Whoever takes it closes it. */
function forge(change: object, { sealed = true, text }: { sealed?: boolean; text?: string } = {}): string {
  const nonce = 'ab'.repeat(16);
  const message = {
    pid: process.pid,
    startTime: ownStartTime(),
    nonce,
    permittedAtStart: '0',
    keep: '0',
    wasCapable: false,
    items: [],
    facts: {},
    ...change,
  };
  const fd = syscall('memfd_create', Buffer.from('keyhole\0'), 2);
  writeSync(fd, text ?? JSON.stringify(message));
  if (sealed) syscall('fcntl', fd, F_ADD_SEALS, 15);
  return `${fd}.${nonce}`;
}

const take = (variable: string) => takeHandover({ [HANDOVER_VARIABLE]: variable });

test('without the variable there is no first stage', () => {
  assert.equal(takeHandover({ PATH: '/bin' }), undefined);
});

test('what is written is taken, and leaves no trace', (t) => {
  const held: Held[] = [{ key: 'version', fd: opened(t, '/proc/version'), kind: 'file', path: '/proc/version' }];
  const event = counter(t);
  if (event !== undefined) held.push({ key: 'cpu0', fd: event, kind: 'event' });
  const acquired = new Map<string, Acquired>([
    ['perf', { held, facts: { cpus: [0, 1], why: 'EACCES' } }],
    ['rapl', { held: [], facts: undefined }],
  ]);
  const { fds, variable } = writeHandover({ acquired, permittedAtStart: 1n << 38n, keep: 0n, wasCapable: true });
  assert.deepEqual(
    fds.slice(1),
    held.map(({ fd }) => fd),
  );
  const env = { PATH: '/bin', [HANDOVER_VARIABLE]: variable };
  const taken = takeHandover(env);
  assert.deepEqual(env, { PATH: '/bin' });
  assert.equal(taken?.permittedAtStart, 1n << 38n);
  assert.equal(taken?.keep, 0n);
  assert.deepEqual([...(taken?.acquired.keys() ?? [])], ['perf', 'rapl']);
  assert.deepEqual(taken?.acquired.get('perf'), { held, facts: { cpus: [0, 1], why: 'EACCES' } });
  assert.deepEqual(taken?.acquired.get('rapl'), { held: [], facts: null });
  assert.throws(() => take(variable), HandoverError, 'the memory file is closed');
});

test('a variable that is no hand-over is an error', (t) => {
  const file = opened(t, '/proc/version');
  const nonce = '0'.repeat(32);
  assert.throws(() => take(''), /"" is no descriptor and nonce/);
  assert.throws(() => take('7'), /"7" is no descriptor and nonce/);
  assert.throws(() => take(`999999.${nonce}`), /descriptor 999999: ENOENT/);
  assert.throws(() => take(`${file}.${nonce}`), /descriptor \d+ is \/proc\/version/);
});

test('a forged or stale hand-over is an error', () => {
  assert.equal(take(forge({}))?.acquired.size, 0);
  assert.throws(() => take(forge({}, { sealed: false })), /is not sealed/);
  assert.throws(() => take(forge({}, { text: '{"pid":' })), /JSON/);
  assert.throws(() => take(forge({}, { text: 'null' })), /holds no hand-over/);
  assert.throws(() => take(forge({ nonce: 'cd'.repeat(16) })), /the nonce is another/);
  assert.throws(() => take(forge({ pid: process.pid + 1 })), /it is for process \d+, this is \d+/);
  assert.throws(() => take(forge({ startTime: '1' })), /started at another time/);
  assert.throws(() => take(forge({ items: [{}] })), /holds no hand-over/);
});

test('a descriptor that is not what it is said to be is an error', (t) => {
  const version = opened(t, '/proc/version');
  const uptime = opened(t, '/proc/uptime');
  const base = {
    collector: 'rapl',
    key: 'x',
    fd: version,
    kind: 'file',
    target: '/proc/version',
    device: '1',
    inode: '1',
  };
  const facts = { rapl: null };
  const items = (change: object, more: object[] = []) => forge({ facts, items: [{ ...base, ...change }, ...more] });
  assert.throws(() => take(items({})), /descriptor \d+ \(rapl x\) is another \/proc\/version/);
  assert.throws(() => take(items({ fd: uptime })), /is \/proc\/uptime, not \/proc\/version/);
  assert.throws(() => take(items({ fd: 999_999 })), /EBADF/);
  assert.throws(() => take(items({ kind: 'event', eventId: '1' })), /ENOTTY/);
  assert.throws(() => take(items({ kind: 'event' })), /holds no hand-over/);
  assert.throws(() => take(items({ fd: 1 })), /holds no hand-over/);
  assert.throws(() => take(items({}, [base])), /there twice/);
  assert.throws(() => take(items({ collector: 'other' })), /no facts of other/);
  const event = counter(t);
  if (event === undefined) return;
  const target = 'anon_inode:[perf_event]';
  assert.throws(
    () => take(items({ fd: event, kind: 'event', target, eventId: '1' })),
    /is another anon_inode|is perf event \d+, not 1/,
  );
});

test('no message makes it crash or accept', () => {
  fc.assert(
    fc.property(fc.json(), (text) => {
      assert.throws(() => take(forge({}, { text })), HandoverError);
    }),
    { numRuns: 50 },
  );
});
