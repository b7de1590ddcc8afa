import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { ParseError } from '../../src/core/errors.ts';
import { askDevices, askMountPoint } from '../../src/syscall/btrfs.ts';
import { SyscallError } from '../../src/syscall/libc.ts';
import { btrfsOf, UUIDS } from '../helpers/btrfs.ts';
import { outcome } from '../helpers/netlink.ts';

test('devices are asked for by their numbers, of which some are free', () => {
  const answer = btrfsOf({
    1: { path: '/dev/sda', used: 1n, size: 2n ** 40n, errors: [1n, 2n, 3n, 4n, 5n] },
    5: { path: '/dev/mapper/a b', used: 3n, size: 4n, errors: [0n, 0n, 0n, 0n, 0n] },
  });
  assert.deepEqual(askDevices(answer), {
    uuid: UUIDS.filesystem,
    devices: [
      { name: 'sda', uuid: UUIDS.device(1), allocatedBytes: 1, sizeBytes: 2 ** 40, errors: [1, 2, 3, 4, 5] },
      { name: 'a b', uuid: UUIDS.device(5), allocatedBytes: 3, sizeBytes: 4, errors: [0, 0, 0, 0, 0] },
    ],
  });
});

test('of a device that is missing only the errors are not known', () => {
  const { devices } = askDevices(btrfsOf({ 2: { path: '', used: 1n, size: 2n } }));
  assert.deepEqual(devices, [{ name: '', uuid: UUIDS.device(2), allocatedBytes: 1, sizeBytes: 2, errors: undefined }]);
});

test('what else the kernel refuses is thrown, and so is a number of devices that cannot be', () => {
  assert.throws(
    () =>
      askDevices(() => {
        throw new SyscallError('ioctl', 25);
      }),
    { code: 'ENOTTY' },
  );
  assert.throws(() => askDevices((_, data) => data.fill(0xff)), ParseError);
});

test('whatever the kernel answers, it is devices or a ParseError', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 64 }), fc.nat(40), (noise, at) => {
      const found = outcome(() => askDevices((_, data) => data.set(noise, at)));
      assert.ok(typeof found !== 'string' || found === 'ParseError', String(found));
    }),
  );
});

for (const [why, path] of [
  ['not there', '/nowhere'],
  ['another file system', '/proc'],
  ['no folder', '/proc/version/x'],
] as const)
  test(`a mount point that is ${why} gives no answer`, async () => assert.equal(await askMountPoint(path), undefined));

test('a path that cannot be is a fault', () =>
  assert.rejects(askMountPoint(`/${'x'.repeat(300)}`), { code: 'ENAMETOOLONG' }));
