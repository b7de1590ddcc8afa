import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { test } from 'node:test';
import { threadLimits, threadsPossible } from '../../src/syscall/threads.ts';

test('as many threads as are wanted, and none of them is left', () => {
  const before = readdirSync('/proc/self/task').length;
  assert.equal(threadsPossible(8), 8);
  assert.equal(threadsPossible(0), 0);
  assert.equal(readdirSync('/proc/self/task').length, before);
});

test('what limits them is named', () => {
  assert.match(threadLimits(), /RLIMIT_NPROC \d+|pids\.max \d+|unknown/);
});
