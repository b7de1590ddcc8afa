import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseLimits } from '../../src/parse/limits.ts';

test('parseLimits takes the soft limits; none is 2^64', () => {
  const text = [
    'Limit                     Soft Limit           Hard Limit           Units     ',
    'Max address space         unlimited            unlimited            bytes     ',
    'Max open files            1024                 524288               files     ',
    '',
  ].join('\n');
  assert.deepEqual(parseLimits(text), { openFiles: 1024, addressSpace: 2 ** 64 });
  assert.deepEqual(parseLimits(''), { openFiles: undefined, addressSpace: undefined });
  assert.equal(parseLimits('Max open files            many\n').openFiles, undefined);
});
