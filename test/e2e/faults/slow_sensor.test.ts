// A battery whose driver takes seconds for an answer, in a guest: a slow sensor of a real sysfs.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { loudly } from '../../helpers/debian.ts';
import { lacksGuest, runGuest } from '../../helpers/guest.ts';

const skip = loudly(lacksGuest('x64'));
const BOOT_MS = 180_000;
const TIMEOUT_MS = 2000;

interface Look {
  /** How long the scrape took, and the page at `/` meanwhile. */
  readonly ms: number;
  readonly pageMs: number;
  readonly load: boolean;
  readonly charge?: number;
}

interface Results {
  readonly slow: Look;
  readonly stillSlow: Look;
  readonly quick: Look;
  readonly end: { readonly ms: number; readonly status: number };
}

test('a sensor that is slow from its first read on costs itself, and nobody waits for it', { skip }, async (t) => {
  const { slow, stillSlow, quick, end } = (await runGuest({
    arch: 'x64',
    scenario: 'helpers/guest/battery.ts',
    cpus: 2,
    modules: ['hid', 'hid-generic', 'uhid'],
    timeoutMs: BOOT_MS,
  })) as unknown as Results;
  t.diagnostic(JSON.stringify({ slow, stillSlow, quick, end }));
  for (const look of [slow, stillSlow]) {
    assert.deepEqual([look.load, look.charge], [true, undefined]);
    assert.ok(look.ms < TIMEOUT_MS + 1000, `${look.ms} ms`);
    assert.ok(look.pageMs < 1000, `${look.pageMs} ms`);
  }
  assert.equal(quick.charge, 61);
  assert.equal(end.status, 0);
  assert.ok(end.ms < 5000, `${end.ms} ms`);
});
