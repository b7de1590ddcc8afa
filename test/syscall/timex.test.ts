import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createTimexReader, timexLayout } from '../../src/syscall/timex.ts';

test('struct timex has the size and the offsets of the kernel header', () => {
  assert.equal(timexLayout.sizeBytes, 208);
  assert.deepEqual(
    [timexLayout.offsets.status, timexLayout.offsets.tvSec, timexLayout.offsets.shift, timexLayout.offsets.stabil],
    [40, 72, 112, 120],
  );
  assert.equal(timexLayout.offsets.tai, 160);
});

test('the clock of this machine can be read without a privilege, again and again', () => {
  const read = createTimexReader();
  for (let i = 0; i < 3; i += 1) {
    const { state, tick, maxerror, tai } = read();
    assert.ok(state >= 0 && state <= 5);
    assert.ok(tick > 8000 && tick < 12000, String(tick));
    assert.ok(maxerror >= 0);
    assert.ok(tai >= 0 && tai < 100, String(tai));
  }
});
