import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { collectors } from '../../src/collectors/index.ts';
import { UsageError } from '../../src/core/errors.ts';
import type { Flag } from '../../src/core/flag.ts';
import { compilePattern, loadPatterns, ownPattern, type Pattern, passes } from '../../src/core/pattern.ts';

await loadPatterns();

for (const [pattern, text, want] of [
  ['^(z?ram|loop|fd)\\d+$', 'zram0', true],
  ['^(z?ram|loop|fd)\\d+$', 'vda', false],
  ['eth', 'veth0', true],
  ['(?i)ETH', 'eth0', true],
  ['a\\z', 'ba', true],
  ['(?P<name>x)', 'x', true],
  ['^\\pL+$', 'é', true],
  ['^$', '', true],
] as const)
  test(`${pattern} ${want ? 'matches' : 'does not match'} ${JSON.stringify(text)}`, () => {
    const compiled = compilePattern(pattern);
    assert.equal(compiled.test(text), want);
    assert.equal(compiled.test(text), want, 'the second time, from memory');
  });

for (const pattern of ['(', 'a(?=b)', '(a)\\1', '[z-a]', 'a{2,1}'])
  test(`refuses ${pattern}`, () =>
    assert.throws(
      () => compilePattern(pattern),
      (error) => error instanceof UsageError && error.message.includes(pattern),
    ));

test('a pattern that would take a backtracking engine years takes no time', () => {
  assert.equal(compilePattern('^(a+)+$').test(`${'a'.repeat(5000)}b`), false);
});

test('passes: exclude wins, a missing side lets all through', () => {
  const [eth, zero] = [compilePattern('^eth'), compilePattern('0$')];
  assert.deepEqual(
    ['eth0', 'eth1', 'lo'].map((name) => [
      passes(name, eth, zero),
      passes(name, undefined, zero),
      passes(name, eth, undefined),
      passes(name, undefined, undefined),
    ]),
    [
      [false, false, true, true],
      [true, true, true, true],
      [false, true, false, true],
    ],
  );
});

const isPattern = (value: unknown): value is Pattern => typeof value === 'object' && value !== null && 'test' in value;

test('every default pattern means the same to both engines', () => {
  for (const { flags } of collectors)
    for (const flag of Object.values(flags as Readonly<Record<string, Flag>>)) {
      const value = flag.parse(flag.fallback);
      if (!isPattern(value)) continue;
      const own = ownPattern(value.source);
      const re2 = compilePattern(value.source);
      fc.assert(
        fc.property(fc.oneof(fc.constantFrom(...NAMES), fc.string()), (name) => own.test(name) === re2.test(name)),
      );
    }
});

const NAMES = [
  ...['eth0', 'lo', 'vda', 'sda1', 'nvme0n1p2', 'nvme0n1', 'zram0', 'loop7', 'xvdb3', 'dm-0', 'md0', 'fd0', 'hda12'],
  ...['/', '/proc', '/proc/x', '/dev', '/sysx', '/var/lib/docker/a', '/run/credentials/x', '/run', '/home'],
  ...['ext4', 'tmpfs', 'overlay', 'cgroup', 'cgroup2', 'proc', 'sysfs', 'squashfs', 'xfs', 'rpc_pipefs'],
  ...['pgpgin', 'pgfault', 'oom_kill', 'pswpout', 'nr_free', 'pgmajfault', 'Tcp_CurrEstab', 'TcpExt_ListenDrops'],
  ...['Udp6_InErrors', 'Ip_Forwarding', 'IpExt_InOctets', 'Icmp6_InMsgs', 'UdpLite_InErrors', ''],
];
