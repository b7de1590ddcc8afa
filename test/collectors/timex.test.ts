import assert from 'node:assert/strict';
import { test } from 'node:test';
import timex from '../../src/collectors/timex.ts';
import { NoDataError } from '../../src/core/errors.ts';
import type { Timex } from '../../src/core/system.ts';
import { refusal } from '../helpers/disk.ts';
import { samplesIn } from '../helpers/odd.ts';
import { type Scraped, scrape } from '../helpers/scrape.ts';

const CLOCK: Timex = {
  state: 0,
  offset: -1_500_000,
  freq: 65_536 * 25,
  maxerror: 16_000_000,
  esterror: 250_000,
  status: 0x2001,
  constant: 7,
  tick: 10_000,
  ppsfreq: -65_536,
  jitter: 3_000,
  shift: 4,
  stabil: 131_072,
  jitcnt: 1,
  calcnt: 2,
  errcnt: 3,
  stbcnt: 4,
  tai: 37,
};
const scrapeClock = (clock: Timex): Promise<Scraped> => scrape(timex, { system: { adjtimex: () => clock } });

test('timex turns the kernel’s units into seconds and ratios', async () => {
  const { text, error } = await scrapeClock(CLOCK);
  assert.equal(error, undefined);
  assert.deepEqual(
    samplesIn(text),
    [
      ['estimated_error_seconds', '0.25'],
      ['frequency_adjustment_ratio', '1.000025'],
      ['loop_time_constant', '7'],
      ['maxerror_seconds', '16'],
      ['offset_seconds', '-0.0015'],
      ['pps_calibration_total', '2'],
      ['pps_error_total', '3'],
      ['pps_frequency_hertz', '-1e-06'],
      ['pps_jitter_seconds', '3e-06'],
      ['pps_jitter_total', '1'],
      ['pps_shift_seconds', '4'],
      ['pps_stability_exceeded_total', '4'],
      ['pps_stability_hertz', '2e-06'],
      ['status', '8193'],
      ['sync_status', '1'],
      ['tai_offset_seconds', '37'],
      ['tick_seconds', '0.01'],
    ].map(([name, value]) => `node_timex_${name} ${value}`),
  );
});

test('timex reads microseconds where the clock does not count nanoseconds, and a clock that is not in step', async () => {
  const { text } = await scrapeClock({ ...CLOCK, status: 0x41, state: 5 });
  for (const sample of ['sync_status 0', 'offset_seconds -1.5', 'pps_jitter_seconds 0.003'])
    assert.ok(text.includes(`\nnode_timex_${sample}\n`), sample);
});

for (const [code, isNoData] of [
  ['EPERM', true],
  ['EACCES', true],
  ['EINVAL', false],
] as const)
  test(`timex: ${code} is ${isNoData ? 'no data' : 'a fault'}`, async () => {
    const adjtimex = (): never => {
      throw refusal(code, 'adjtimex');
    };
    const { text, success, error } = await scrape(timex, { system: { adjtimex } });
    assert.deepEqual([text, success, error instanceof NoDataError], ['', false, isNoData]);
  });

test('timex: the clock of this machine', async () => {
  const { text, success } = await scrape(timex);
  assert.equal(success, true);
  assert.equal(text.match(/^# TYPE node_timex_\w+ (gauge|counter)$/gm)?.length, 17);
  assert.match(text, /^node_timex_tick_seconds 0\.0(09|1)/m);
});
