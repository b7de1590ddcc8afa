import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ParseError } from '../../src/core/errors.ts';
import { orInstead } from '../../src/core/fallback.ts';
import type { Turn } from '../../src/core/host.ts';
import { silent } from '../../src/core/log.ts';
import { Samples } from '../../src/core/samples.ts';
import { isClosed } from '../../src/netlink/netlink.ts';
import { NoSyscallsError, SyscallError } from '../../src/syscall/libc.ts';

const turn: Turn = { signal: new AbortController().signal, leftMs: () => 1000, pause: () => undefined };

/** What asks netlink and throws these one after the other, then nothing; `ran` is what ran, `logged` what was said. */
function asking(...errors: readonly Error[]) {
  const ran: string[] = [];
  const logged: string[] = [];
  const left = [...errors];
  const host = { log: { ...silent, warn: (text: string) => void logged.push(text) }, network: { isClosed } };
  const collect = orInstead(
    host as unknown as Parameters<typeof orInstead>[0],
    'the files',
    () => {
      ran.push('netlink');
      const error = left.shift();
      if (error !== undefined) throw error;
    },
    () => void ran.push('files'),
  );
  return { ran, logged, again: () => collect(new Samples(), turn) };
}

for (const error of [new NoSyscallsError('no'), new SyscallError('socket', 1), new SyscallError('socket', 97)])
  test(`where netlink is closed to the process (${error.message}) the other source is read, which is logged once`, () => {
    const { ran, logged, again } = asking(error);
    again();
    again();
    assert.deepEqual(ran, ['netlink', 'files', 'files']);
    assert.deepEqual(logged, ['netlink cannot be used: reading the files']);
  });

for (const error of [new ParseError('netlink', 'x'), new SyscallError('recvfrom', 11), new SyscallError('socket', 24)])
  test(`a fault of netlink (${error.message}) is no reason to read something else`, () => {
    const { ran, logged, again } = asking(error);
    assert.throws(again, error);
    again();
    assert.deepEqual(ran, ['netlink', 'netlink']);
    assert.deepEqual(logged, []);
  });
