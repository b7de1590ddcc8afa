import assert from 'node:assert/strict';
import { test } from 'node:test';
import { adjtimex, timexLayout } from '../../src/syscall/timex.ts';

test('struct timex has the size and the offsets of the kernel header', () => {
  assert.equal(timexLayout.sizeBytes, 208);
  assert.deepEqual(
    [timexLayout.offsets.status, timexLayout.offsets.tvSec, timexLayout.offsets.shift, timexLayout.offsets.stabil],
    [40, 72, 112, 120],
  );
  assert.equal(timexLayout.offsets.tai, 160);
});

test('the clock of this machine can be read without a privilege', () => {
  const before = BigInt(Math.floor(Date.now() / 1000));
  const { state, tick, tvSec, tvUsec, maxerror } = adjtimex();
  assert.ok(state >= 0 && state <= 5);
  assert.ok(tick > 8000n && tick < 12000n, String(tick));
  assert.ok(tvSec >= before && tvSec <= before + 5n);
  assert.ok(tvUsec >= 0n && tvUsec < 1_000_000_000n);
  assert.ok(maxerror >= 0n);
});
