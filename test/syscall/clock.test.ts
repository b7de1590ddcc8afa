import assert from 'node:assert/strict';
import { test } from 'node:test';
import { realtimeNs } from '../../src/syscall/clock.ts';

test("the kernel's clock is Date's, with a fraction", () => {
  const before = BigInt(Date.now()) * 1_000_000n;
  const times = Array.from({ length: 20 }, realtimeNs);
  const after = BigInt(Date.now() + 1) * 1_000_000n;
  for (const time of times) assert.ok(time >= before && time <= after, `${before} ${time} ${after}`);
  assert.ok(times.some((time) => time % 1_000_000n !== 0n));
});
