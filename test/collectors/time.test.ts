import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { type TestContext, test } from 'node:test';
import time, { ruleOf, zoneName } from '../../src/collectors/time.ts';
import { alteredDisk, refusal } from '../helpers/disk.ts';
import { scrape, tree } from '../helpers/scrape.ts';

const HOUR = 3600;

for (const [rule, offset, name] of [
  ['UTC0', 0, 'UTC'],
  ['CET-1CEST,M3.5.0,M10.5.0/3', HOUR, 'CET'],
  ['CET-1CEST,M3.5.0,M10.5.0/3', 2 * HOUR, 'CEST'],
  ['CET-1CEST,M3.5.0,M10.5.0/3', 0, undefined],
  ['EST5EDT,M3.2.0,M11.1.0', -5 * HOUR, 'EST'],
  ['EST5EDT,M3.2.0,M11.1.0', -4 * HOUR, 'EDT'],
  ['IST-5:30', 5.5 * HOUR, 'IST'],
  ['<+0545>-5:45', 5.75 * HOUR, '+0545'],
  ['<-03>3', -3 * HOUR, '-03'],
  ['IST-1GMT0,M10.5.0,M3.5.0/1', 0, 'GMT'],
  ['<+1030>-10:30<+11>-11,M10.1.0,M4.1.0', 11 * HOUR, '+11'],
  ['', 0, undefined],
  ['nonsense', 0, undefined],
  ['UTC', 0, undefined],
] as const)
  test(`zoneName calls ${rule || 'no rule'} at ${offset} s ${name}`, () => assert.equal(zoneName(rule, offset), name));

test('ruleOf reads the end of a compiled zone, and nothing else', () => {
  assert.equal(ruleOf('TZif2\0\0\0\nCET-1CEST,M3.5.0,M10.5.0/3\n'), 'CET-1CEST,M3.5.0,M10.5.0/3');
  for (const text of ['', '\n', 'TZif', 'TZif\n', 'CET-1\nCET-1\n', 'TZif2\nCET-1']) assert.equal(ruleOf(text), '');
});

test('ruleOf reads the zones of this machine', (t) => {
  try {
    assert.equal(ruleOf(readFileSync('/usr/share/zoneinfo/Europe/Berlin', 'latin1')), 'CET-1CEST,M3.5.0,M10.5.0/3');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    t.skip('no time zone database here');
  }
});

test('time tells the time, with its fraction, and the clock sources', async () => {
  const { text } = await scrape(time, { now: 1718093011250.5 });
  assert.match(text, /^node_time_seconds 1.7180930112505e\+09$/m);
  assert.match(text, /^node_time_zone_offset_seconds\{time_zone="[^"]+"\} -?[0-9]+$/m);
  assert.deepEqual(text.match(/^node_time_clocksource.*$/gm), [
    'node_time_clocksource_available_info{clocksource="acpi_pm",device="0"} 1',
    'node_time_clocksource_available_info{clocksource="hpet",device="0"} 1',
    'node_time_clocksource_available_info{clocksource="tsc",device="0"} 1',
    'node_time_clocksource_current_info{clocksource="tsc",device="0"} 1',
  ]);
});

/** For the rest of the test, the zone of this process. */
function setZone(t: TestContext, zone: string): void {
  const before = process.env['TZ'];
  t.after(() => {
    if (before === undefined) delete process.env['TZ'];
    else process.env['TZ'] = before;
  });
  process.env['TZ'] = zone;
}

for (const [zone, at, expected] of [
  ['UTC', '2026-07-01', 'time_zone="UTC"} 0'],
  ['Europe/Berlin', '2026-07-01', 'time_zone="CEST"} 7200'],
  ['Europe/Berlin', '2026-01-01', 'time_zone="CET"} 3600'],
  ['America/New_York', '2026-01-01', 'time_zone="EST"} -18000'],
  ['Asia/Kathmandu', '2026-01-01', 'time_zone="+0545"} 20700'],
  ['/usr/share/zoneinfo/Asia/Tokyo', '2026-01-01', 'time_zone="JST"} 32400'],
  // As Go, which knows names only: one that holds a rule is there, or is UTC.
  ['EST5EDT', '2026-01-01', 'time_zone="EST"} -18000'],
  ['UTC+3', '2026-01-01', 'time_zone="UTC"} 0'],
  [':UTC+3', '2026-01-01', 'time_zone="UTC"} 0'],
  ['GMT-02:30', '2026-01-01', 'time_zone="UTC"} 0'],
  ['CET-1CEST,M3.5.0,M10.5.0/3', '2026-07-01', 'time_zone="UTC"} 0'],
] as const)
  test(`time tells the zone ${zone} on ${at}`, async (t) => {
    setZone(t, zone);
    const { text } = await scrape(time, { now: Date.parse(at) });
    assert.ok(text.includes(`node_time_zone_offset_seconds{${expected}\n`), text);
  });

test('a folder in the place of the zone is none: its offset names it', async (t) => {
  setZone(t, 'Europe/Berlin');
  const disk = alteredDisk({
    bytes(path, real) {
      if (/zoneinfo|localtime/.test(path)) throw refusal('EISDIR', path);
      return real;
    },
  });
  const { text, success } = await scrape(time, { disk, now: Date.parse('2026-01-01') });
  assert.ok(success);
  assert.ok(text.includes('node_time_zone_offset_seconds{time_zone="+01"} 3600\n'), text);
});

for (const [zone, expected] of [
  ['UTC', 'time_zone="UTC"} 0'],
  ['Europe/Berlin', 'time_zone="+01"} 3600'],
  ['America/New_York', 'time_zone="-05"} -18000'],
  ['Asia/Kathmandu', 'time_zone="+0545"} 20700'],
  ['America/St_Johns', 'time_zone="-0330"} -12600'],
] as const)
  test(`time calls the zone ${zone} by its offset where no file names it`, async (t) => {
    setZone(t, zone);
    const disk = alteredDisk({
      bytes(path, real) {
        if (/zoneinfo|localtime/.test(path)) throw refusal('ENOENT', path);
        return real;
      },
    });
    const { text } = await scrape(time, { disk, now: Date.parse('2026-01-01') });
    assert.ok(text.includes(`node_time_zone_offset_seconds{${expected}\n`), text);
  });

test('time numbers clock devices by their names', async (t) => {
  const dir = 'sys/devices/system/clocksource';
  const root = tree(t, {
    [`${dir}/clocksource10/available_clocksource`]: 'b\n',
    [`${dir}/clocksource10/current_clocksource`]: 'b\n',
    [`${dir}/clocksource2/available_clocksource`]: 'a\n',
    [`${dir}/clocksource2/current_clocksource`]: 'a\n',
    [`${dir}/uevent`]: '',
  });
  const { text } = await scrape(time, { root });
  assert.match(text, /current_info\{clocksource="a",device="2"\} 1/);
  assert.match(text, /current_info\{clocksource="b",device="10"\} 1/);
});

test('time tells the time where there are no clock sources', async (t) => {
  const { text, success } = await scrape(time, { root: tree(t, {}) });
  assert.equal(success, true);
  assert.match(text, /^node_time_seconds 0$/m);
});

test('time: a clock source without one of its files has the other', async (t) => {
  const root = tree(t, { 'sys/devices/system/clocksource/clocksource0/available_clocksource': 'tsc\n' });
  const { text, success } = await scrape(time, { root });
  assert.equal(success, true);
  assert.match(text, /^node_time_seconds 0$/m);
  assert.deepEqual(text.match(/^node_time_clocksource.*$/gm), [
    'node_time_clocksource_available_info{clocksource="tsc",device="0"} 1',
  ]);
});
