import assert from 'node:assert/strict';
import { test } from 'node:test';
import timex, { valuesOf } from '../../src/collectors/timex.ts';
import { timexLayout } from '../../src/syscall/timex.ts';
import { scrape } from '../helpers/scrape.ts';

const clock = timexLayout.decode(
  timexLayout.encode({
    offset: -1_500_000n,
    freq: 65_536n * 25n,
    maxerror: 16_000_000n,
    esterror: 250_000n,
    status: 0x2001,
    constant: 7n,
    tick: 10_000n,
    ppsfreq: -65_536n,
    jitter: 3_000n,
    shift: 4,
    stabil: 131_072n,
    jitcnt: 1n,
    calcnt: 2n,
    errcnt: 3n,
    stbcnt: 4n,
    tai: 37,
  }),
);

test('valuesOf turns the kernel’s units into seconds and ratios', () => {
  assert.deepEqual(valuesOf({ ...clock, state: 0 }), {
    sync: 1,
    offset: -0.0015,
    frequency: 1.000025,
    maxError: 16,
    estimatedError: 0.25,
    status: 0x2001,
    constant: 7,
    tick: 0.01,
    ppsFrequency: -1e-6,
    ppsJitter: 0.000003,
    ppsShift: 4,
    ppsStability: 2e-6,
    ppsJitterLimit: 1,
    ppsCalibrations: 2,
    ppsErrors: 3,
    ppsStabilityLimit: 4,
    tai: 37,
  });
});

test('valuesOf reads microseconds where the clock does not count nanoseconds, and a clock that is not in step', () => {
  const { sync, offset, ppsJitter } = valuesOf({ ...clock, status: 0x41, state: 5 });
  assert.deepEqual({ sync, offset, ppsJitter }, { sync: 0, offset: -1.5, ppsJitter: 0.003 });
});

test('timex tells of the clock of this machine', async () => {
  const { text, success } = await scrape(timex);
  assert.equal(success, true);
  assert.equal(text.match(/^# TYPE node_timex_\w+ (gauge|counter)$/gm)?.length, 17);
  assert.match(text, /^node_timex_tick_seconds 0\.0(09|1)/m);
});
