import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { LimitError, ParseError } from '../../src/core/errors.ts';
import { createEthtool, openEthtool } from '../../src/syscall/ethtool.ts';
import { driversOf } from '../helpers/ethtool.ts';
import { outcome } from '../helpers/netlink.ts';

const STATISTICS = [
  ['rx_packets', 5n],
  ['a name of exactly 32 characters.', 2n ** 64n - 1n],
] as const;

test('a driver has five texts, and says how many statistics it has', () => {
  const drivers = createEthtool(
    driversOf({ eno1: { texts: ['e1000e', '6.1', 'fw', '0000:00:1f.6', ''], statistics: STATISTICS } }),
  );
  assert.deepEqual(drivers.driver('eno1'), {
    driver: 'e1000e',
    version: '6.1',
    firmwareVersion: 'fw',
    busInfo: '0000:00:1f.6',
    romVersion: '',
    statistics: 2,
  });
});

test('masks are as long as the kernel says', () => {
  let asked = 0;
  const answer = driversOf({
    a: { autonegotiation: 1, supported: [0x2f, 1, 0, 0x80000000], advertised: [0x20, 0, 0, 0] },
    b: { supported: [1, 2, 3, 4] },
  });
  const drivers = createEthtool((device, data) => {
    asked += 1;
    answer(device, data);
  });
  assert.deepEqual(drivers.link('a'), {
    autonegotiation: 1,
    supported: Uint8Array.of(0x2f, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x80),
    advertised: Uint8Array.of(0x20, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0),
  });
  assert.deepEqual(drivers.link('b').supported.subarray(0, 5), Uint8Array.of(1, 0, 0, 0, 2));
  // The length is asked for once.
  assert.equal(asked, 3);
});

test('a kernel that never says how long its masks are is refused', () => {
  const drivers = createEthtool(() => {});
  assert.throws(() => drivers.link('eno1'), ParseError);
});

test('statistics have names of up to 32 bytes and values of 64 bits', () => {
  const drivers = createEthtool(driversOf({ a: { statistics: STATISTICS }, b: { statistics: STATISTICS } }));
  const first = drivers.statistics('a', 2);
  assert.deepEqual(first, { names: ['rx_packets', 'a name of exactly 32 characters.'], values: [5, 2 ** 64] });
  // The same names are the same array, whatever the device.
  assert.equal(drivers.statistics('b', 2)?.names, first?.names);
  assert.equal(drivers.statistics('a', 0), undefined);
});

test('statistics whose number has changed since are left out, and far too many refused', () => {
  const drivers = createEthtool(driversOf({ a: { statistics: STATISTICS } }));
  assert.equal(drivers.statistics('a', 3), undefined);
  assert.throws(() => drivers.statistics('a', 1 << 20), LimitError);
  const changing = createEthtool((_, data) => {
    const bytes = Buffer.from(data.buffer, data.byteOffset, data.byteLength);
    if (bytes.readUInt32LE(0) === 0x1d) bytes.writeUInt32LE(1, 4);
  });
  assert.equal(changing.statistics('a', 2), undefined);
});

test('not every block of names is remembered', () => {
  const names = Object.fromEntries(
    Array.from({ length: 100 }, (_, i) => [`d${i}`, { statistics: [[`s${i}`, 1n] as const] }]),
  );
  const drivers = createEthtool(driversOf(names));
  const first = drivers.statistics('d0', 1)?.names;
  for (const device of Object.keys(names)) drivers.statistics(device, 1);
  assert.deepEqual(drivers.statistics('d0', 1)?.names, first);
  assert.notEqual(drivers.statistics('d0', 1)?.names, first);
});

test('whatever a driver answers, it is a value or an error that has a name', () => {
  const bytes = fc.uint8Array({ minLength: 0, maxLength: 300 });
  fc.assert(
    fc.property(bytes, fc.nat(3), fc.nat(5), (noise, at, count) => {
      const drivers = createEthtool((_, data) => data.set(noise, at * 4));
      for (const ask of [
        () => drivers.driver('a'),
        () => drivers.link('a'),
        () => drivers.statistics('a', count),
        () => drivers.statistics('a', drivers.driver('a').statistics),
      ]) {
        const error = outcome(ask);
        assert.ok(typeof error !== 'string' || ['ParseError', 'LimitError'].includes(error), String(error));
      }
    }),
  );
});

test('this kernel has a loopback device without a link and without a driver to speak of, and none called nonsense', () => {
  const drivers = openEthtool();
  assert.throws(() => drivers.link('lo'), { code: 'ENOTSUP' });
  assert.throws(() => drivers.driver('nonsense'), { code: 'ENODEV' });
  assert.throws(() => drivers.driver('a name that is far too long for a device'), { code: 'ENODEV' });
});
