import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync } from 'node:fs';
import process from 'node:process';
import { type TestContext, test } from 'node:test';
import { errnoOf } from '../../src/core/errors.ts';
import { isOpenerUp, perfKernel, useOpener } from '../../src/perf/kernel.ts';
import { setSocketTimeout, socketPair } from '../../src/syscall/unix_socket.ts';

const SWITCHES = { name: 'cs', type: 1, config: 3n } as const;
const MAIN = new URL('../../src/main.ts', import.meta.url).pathname;

/** The opener, as this user may run it. */
function startOpener() {
  const [socket, other] = socketPair();
  const args = ['--disable-warning=ExperimentalWarning', MAIN, 'opener'];
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'ignore', 'inherit', other] });
  closeSync(other);
  return { child, socket };
}

/** A counter, or `undefined` where the kernel refuses it to this user. */
function opened(t: TestContext, open: () => number): number | undefined {
  try {
    const fd = open();
    t.after(() => closeSync(fd));
    return fd;
  } catch (error) {
    assert.equal(errnoOf(error), 'EACCES');
    return undefined;
  }
}

test('this process opens counters, until an opener does', async (t) => {
  const direct = perfKernel(undefined);
  assert.equal(isOpenerUp(), undefined);
  assert.ok(direct.privileges().bounding >= 0n);
  opened(t, () => direct.open(SWITCHES, { cpu: 0 }, undefined));
  assert.throws(() => direct.open(SWITCHES, { cpu: 0, cgroup: 'a' }, undefined));

  const { child, socket } = startOpener();
  useOpener(socket);
  setSocketTimeout(socket, 30_000);
  assert.equal(isOpenerUp(), true);
  const asking = perfKernel(undefined);
  // What decides a refusal is what the opener has.
  assert.ok(asking.privileges().effective >= 0n);
  const leader = opened(t, () => asking.open(SWITCHES, { cpu: 0 }, undefined));
  if (leader !== undefined) {
    const member = opened(t, () => asking.open({ ...SWITCHES, config: 2n }, { cpu: 0 }, leader));
    asking.enable(leader);
    assert.ok(asking.id(leader) > 0n && asking.runningNs(leader) >= 0n && member !== undefined);
  }
  assert.throws(() => asking.open({ ...SWITCHES, config: 10n }, { cpu: 0 }, undefined), { code: 'EPERM' });
  assert.throws(() => asking.open(SWITCHES, { cpu: 0, cgroup: '../x' }, undefined), { code: 'EINVAL' });
  assert.throws(() => asking.open(SWITCHES, { cpu: 0, cgroup: 'nothing-of-the-kind' }, undefined));

  const ended = once(child, 'exit');
  child.kill('SIGTERM');
  await ended;
  assert.equal(isOpenerUp(), false);
  assert.throws(() => asking.open(SWITCHES, { cpu: 0 }, undefined), { code: 'EPIPE' });
  assert.throws(() => asking.open(SWITCHES, { cpu: 0 }, undefined), { code: 'EPIPE' });
});

test('the opener ends well when the other end is gone', async () => {
  const { child, socket } = startOpener();
  const ended = once(child, 'exit');
  closeSync(socket);
  assert.deepEqual(await ended, [0, null]);
});

test('an opener that says nothing is waited for some times, and given up then', () => {
  const [socket, silent] = socketPair();
  useOpener(socket);
  setSocketTimeout(socket, 50);
  const open = () => perfKernel(undefined).open(SWITCHES, { cpu: 0 }, undefined);
  for (let i = 0; i < 3; i += 1) assert.throws(open, { code: 'EAGAIN' });
  assert.equal(isOpenerUp(), true);
  assert.throws(open, { code: 'EPIPE' });
  assert.equal(isOpenerUp(), false);
  closeSync(silent);
});

test('without a socket there is nothing to open for', async () => {
  const child = spawn(process.execPath, [MAIN, 'opener'], { stdio: ['ignore', 'ignore', 'pipe'] });
  let log = '';
  child.stderr.on('data', (chunk) => {
    log += chunk;
  });
  assert.deepEqual(await once(child, 'close'), [1, null]);
  assert.match(log, /started by --privilege.mode=separated/);
});
