import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import process from 'node:process';
import { test } from 'node:test';
import { UsageError } from '../../src/core/errors.ts';
import { hasSystemdSockets, systemdSockets } from '../../src/server/systemd_socket.ts';

test('the sockets that systemd hands over begin at descriptor 3', () => {
  const seam = new URL('../../src/server/systemd_socket.ts', import.meta.url).href;
  const script = `
    const { systemdSockets } = await import(${JSON.stringify(seam)});
    const answer = (count) => { try { return systemdSockets({ LISTEN_PID: '7', LISTEN_FDS: count }, 7); } catch (error) { return error.message; } };
    process.stdout.write(JSON.stringify([answer('1'), answer('2')]));`;
  // What Node calls a pipe here is a pair of sockets.
  const told = execFileSync(process.execPath, ['--input-type=module', '-e', script], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit', 'pipe'],
  });
  assert.deepEqual(JSON.parse(told), [[{ fd: 3 }], 'LISTEN_FDS=2: file descriptor 4 is no socket']);
});

for (const env of [
  {},
  { LISTEN_PID: '8', LISTEN_FDS: '1' },
  { LISTEN_PID: '7' },
  { LISTEN_PID: '7', LISTEN_FDS: '0' },
  { LISTEN_PID: '7', LISTEN_FDS: '-1' },
  { LISTEN_PID: '7', LISTEN_FDS: '1e3' },
  { LISTEN_PID: '7', LISTEN_FDS: '1025' },
  { LISTEN_PID: '7', LISTEN_FDS: '1000000000' },
])
  test(`without sockets for this process it is an error: ${JSON.stringify(env)}`, () =>
    assert.throws(() => systemdSockets(env, 7), UsageError));

test('sockets count as handed over to this process alone', () => {
  assert.ok(hasSystemdSockets({ LISTEN_PID: '7', LISTEN_FDS: '1' }, 7));
  for (const env of [
    {},
    { LISTEN_PID: '8', LISTEN_FDS: '1' },
    { LISTEN_PID: '7' },
    { LISTEN_PID: '7', LISTEN_FDS: '0' },
  ])
    assert.ok(!hasSystemdSockets(env, 7));
});
