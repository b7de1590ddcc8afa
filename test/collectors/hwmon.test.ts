import assert from 'node:assert/strict';
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import hwmon, { labelChips, parseSensorFile } from '../../src/collectors/hwmon.ts';
import { NoDataError } from '../../src/core/errors.ts';
import { closedDisk, refusingDisk } from '../helpers/disk.ts';
import { golden, scrape, tree } from '../helpers/scrape.ts';

const CHIP = 'sys/class/hwmon/hwmon0';
const samples = (text: string): string[] => [...(text.match(/^[^#].*$/gm) ?? [])];

for (const [name, expected] of [
  ['temp1_input', ['temp', 'temp1', 'input']],
  ['pwm2', ['pwm', 'pwm2', '']],
  ['pwm1_auto_point1_pwm', ['pwm', 'pwm1', 'auto_point1_pwm']],
  ['temp', ['temp', 'temp0', '']],
  ['in01_max', ['in', 'in1', 'max']],
  ['beep_enable', ['beep_enable', 'beep_enable0', '']],
  ['update_interval', ['update_interval', 'update_interval0', '']],
] as const)
  test(`parseSensorFile takes ${name} apart`, () => {
    const [type, sensor, property] = expected;
    assert.deepEqual(parseSensorFile(name), { type, sensor, property });
  });

for (const name of [
  'name',
  'uevent',
  'power',
  'temp_input',
  'bogus1_input',
  'temp1input',
  '1',
  '',
  'in99999999999999999999',
])
  test(`parseSensorFile takes ${JSON.stringify(name)} for no sensor`, () => {
    assert.equal(parseSensorFile(name), undefined);
  });

for (const [why, names, expected] of [
  ['leaves one chip alone', ['a'], ['x']],
  ['adds the names where they differ', ['a', 'b'], ['x_a', 'x_b']],
  ['adds the numbers where the names are the same', ['a', 'a', 'b'], ['x_hwmon0', 'x_hwmon1', 'x_b']],
  ['adds the number where there is no name', ['', 'b'], ['x_hwmon0', 'x_b']],
] as const)
  test(`labelChips ${why}`, () => {
    const chips = names.map((name, i) => ({ folder: `hwmon${i}`, name, label: 'x' }));
    assert.deepEqual(
      labelChips(chips).map(({ label }) => label),
      expected,
    );
  });

test('hwmon: the fixtures scrape to the golden text', (t) => golden(t, hwmon));

test('hwmon has no data where the folder is missing', async (t) => {
  const { error } = await scrape(hwmon, { root: tree(t, { 'sys/class/x': '' }) });
  assert.ok(error instanceof NoDataError);
});

for (const [argv, chips] of [
  [['--collector.hwmon.chip-include=^platform_hp_wmi_hp$'], ['platform_hp_wmi_hp']],
  [
    ['--collector.hwmon.chip-include=^platform_', '--collector.hwmon.chip-exclude=coretemp|nct'],
    ['platform_hp_wmi_hp', 'platform_hp_wmi_hp_wmi_sensors'],
  ],
] as const)
  test(`hwmon with ${argv.join(' ')}`, async () => {
    const { text } = await scrape(hwmon, { argv });
    assert.deepEqual([...new Set(text.match(/(?<=chip=")[^"]+/g))], chips);
  });

test('hwmon includes and leaves out sensors, by chip and sensor', async () => {
  const argv = ['--collector.hwmon.sensor-include=coretemp_0;', '--collector.hwmon.sensor-exclude=;temp1$'];
  const { text } = await scrape(hwmon, { argv });
  assert.deepEqual([...new Set(text.match(/(?<=sensor=")[^"]+/g))], ['temp2']);
});

for (const code of ['EAGAIN', 'EIO', 'EACCES', 'ENODATA'])
  test(`hwmon loses just the sensor file that gives ${code}`, async () => {
    const whole = await scrape(hwmon);
    const { text, success } = await scrape(hwmon, { disk: refusingDisk(code, 'hwmon0/temp1_input') });
    assert.equal(success, true);
    const lost = samples(whole.text).filter((line) => !samples(text).includes(line));
    assert.deepEqual(lost, ['node_hwmon_temp_celsius{chip="platform_coretemp_0",sensor="temp1"} 54']);
  });

test('hwmon reports the other chips where one cannot be listed', async () => {
  const { text, success } = await scrape(hwmon, { disk: closedDisk('EPROTO', 'hwmon/hwmon0') });
  assert.equal(success, false);
  assert.deepEqual(text.match(/^.*coretemp.*$/gm), [
    'node_hwmon_chip_names{chip="platform_coretemp_0",chip_name="coretemp"} 1',
  ]);
  assert.match(text, /nct6687/);
});

test('hwmon skips what is no number and what is no chip', async (t) => {
  const root = tree(t, {
    [`${CHIP}/name`]: 'Foo-Bar\n',
    [`${CHIP}/temp1_input`]: 'hot\n',
    [`${CHIP}/beep_enable`]: '0\n',
    [`${CHIP}/vrm`]: '\n',
    'sys/class/hwmon/README': 'x',
  });
  const { text, success } = await scrape(hwmon, { root });
  assert.equal(success, true);
  assert.deepEqual(samples(text), [
    'node_hwmon_beep_enabled{chip="foo_bar",sensor="beep_enable0"} 0',
    'node_hwmon_chip_names{chip="foo_bar",chip_name="foo_bar"} 1',
  ]);
});

test('hwmon joins the bytes of a label that are not UTF-8', async (t) => {
  const root = tree(t, { [`${CHIP}/temp1_label`]: '' });
  writeFileSync(join(root, CHIP, 'temp1_label'), Buffer.from([0xff, 0xfe, 0x78, 0x0a]));
  mkdirSync(join(root, 'sys/devices/foo'), { recursive: true });
  symlinkSync('../../../devices/foo', join(root, CHIP, 'device'));
  const { text } = await scrape(hwmon, { root });
  assert.deepEqual(samples(text), ['node_hwmon_sensor_label{chip="devices_foo",label="\uFFFDx",sensor="temp1"} 1']);
});
