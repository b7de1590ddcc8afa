import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import process from 'node:process';
import { test } from 'node:test';
import { addressOf, NoSyscallsError, SyscallError, struct, syscall, trySyscall } from '../../src/syscall/libc.ts';

const F_GETFD = 1;
const F_SETFD = 2;
const FD_CLOEXEC = 1;

test('a call returns what the kernel answers', () => {
  const fd = openSync('/dev/null', 'r');
  try {
    assert.equal(syscall('fcntl', fd, F_GETFD), FD_CLOEXEC);
    assert.equal(syscall('fcntl', fd, F_SETFD, 0), 0);
    assert.equal(syscall('fcntl', fd, F_GETFD), 0);
  } finally {
    closeSync(fd);
  }
});

test('a refusal is an error as those of node:fs', () => {
  assert.throws(() => syscall('fcntl', -1, F_GETFD), {
    name: 'SyscallError',
    code: 'EBADF',
    errno: -9,
    syscall: 'fcntl',
    message: 'EBADF: bad file descriptor, fcntl',
  });
  assert.equal(new SyscallError('ioctl', 95).code, 'ENOTSUP');
  const { code, message } = new SyscallError('openat2', 116);
  assert.deepEqual([code, message], ['ESTALE', 'ESTALE: stale file handle, openat2'], 'Node has no name for it');
  assert.equal(trySyscall('fcntl', -1, F_GETFD), -9, 'the same without an error');
});

test('without the foreign function interface only the caller ends', () => {
  const script = `
    const { syscall, NoSyscallsError } = await import(${JSON.stringify(new URL('../../src/syscall/libc.ts', import.meta.url).href)});
    process.getBuiltinModule = () => undefined;
    try { syscall('capget'); } catch (error) { process.stdout.write(String(error instanceof NoSyscallsError) + ' ' + error.message); }
  `;
  const told = execFileSync(process.execPath, ['--input-type=module', '-e', script], { encoding: 'utf8' });
  assert.equal(told, 'true cannot call the kernel: this Node has no node:ffi');
  assert.equal(new NoSyscallsError('x').code, 'NO_SYSCALLS');
});

test('a structure is laid out as C does it', () => {
  const layout = struct({ a: 'u32', b: 'i64', c: 'i32', d: 'u32', e: 'u64', f: 'i32' });
  assert.deepEqual(layout.offsets, { a: 0, b: 8, c: 16, d: 20, e: 24, f: 32 });
  assert.equal(layout.sizeBytes, 40);
  const values = { a: 4294967295, b: -2n, c: -3, d: 4, e: 2n ** 64n - 1n, f: 0 };
  assert.deepEqual(layout.decode(layout.encode(values)), values);
  assert.throws(() => layout.decode(new Uint8Array(39)), RangeError);
});

test('a structure can point to bytes, which the kernel reads and writes there', () => {
  // SIOCGIFCONF fills what its structure points to.
  const [AF_NETLINK, SOCK_RAW, SIOCGIFCONF] = [16, 3, 0x8912];
  const interfaces = Buffer.alloc(40 * 8);
  const request = Buffer.alloc(16);
  request.writeInt32LE(interfaces.length, 0);
  request.writeBigUInt64LE(addressOf(interfaces), 8);
  const socket = syscall('socket', AF_NETLINK, SOCK_RAW, 0);
  try {
    syscall('ioctl', socket, SIOCGIFCONF, request);
  } finally {
    closeSync(socket);
  }
  const length = request.readInt32LE(0);
  assert.ok(length % 40 === 0 && length <= interfaces.length);
  if (length > 0) assert.match(interfaces.toString('latin1', 0, 16), /^\w/);
});
