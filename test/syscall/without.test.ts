// A Node that cannot call the kernel: nothing in this file may have called it before.
import assert from 'node:assert/strict';
import process from 'node:process';
import { mock, test } from 'node:test';
import { openUevents } from '../../src/netlink/uevents.ts';
import { realtimeNs } from '../../src/syscall/clock.ts';
import { NoSyscallsError, syscall } from '../../src/syscall/libc.ts';
import { openUdpSocket } from '../../src/syscall/udp_socket.ts';
import { socketPair } from '../../src/syscall/unix_socket.ts';

mock.method(process, 'getBuiltinModule', () => undefined);

test('what cannot do without the kernel says why', () => {
  const expected = { name: 'NoSyscallsError', code: 'NO_SYSCALLS', message: /no node:ffi/ };
  assert.throws(() => syscall('madvise', 0, 0, 0), expected);
  assert.throws(socketPair, NoSyscallsError);
});

test('the clock is that of Date, in whole milliseconds', () => {
  const before = Date.now();
  const time = realtimeNs();
  assert.equal(time % 1_000_000n, 0n);
  assert.ok(time >= BigInt(before) * 1_000_000n && time <= BigInt(Date.now()) * 1_000_000n);
});

test('there is no socket that knows when its packets came', () => {
  for (const family of [4, 6] as const) assert.equal(openUdpSocket(family), undefined);
});

test('nobody listens to what the kernel reports of devices', () => assert.equal(openUevents(), undefined));
