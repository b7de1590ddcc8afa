import assert from 'node:assert/strict';
import { test } from 'node:test';
import { UsageError } from '../../src/core/errors.ts';
import { systemdSockets } from '../../src/server/systemd_socket.ts';

test('the sockets that systemd hands over begin at descriptor 3', () => {
  assert.deepEqual(systemdSockets({ LISTEN_PID: '7', LISTEN_FDS: '2' }, 7), [{ fd: 3 }, { fd: 4 }]);
});

for (const env of [
  {},
  { LISTEN_PID: '8', LISTEN_FDS: '1' },
  { LISTEN_PID: '7' },
  { LISTEN_PID: '7', LISTEN_FDS: '0' },
  { LISTEN_PID: '7', LISTEN_FDS: '1000000000' },
])
  test(`without sockets for this process it is an error: ${JSON.stringify(env)}`, () =>
    assert.throws(() => systemdSockets(env, 7), UsageError));
