import assert from 'node:assert/strict';
import { test } from 'node:test';
import thermalZone from '../../src/collectors/thermal_zone.ts';
import { ParseError } from '../../src/core/errors.ts';
import { refusingDisk } from '../helpers/disk.ts';
import { golden, scrape, tree } from '../helpers/scrape.ts';

const samples = (text: string): string[] => [...(text.match(/^[^#].*$/gm) ?? [])];

test('thermal_zone: the fixtures scrape to the golden text', (t) => golden(t, thermalZone));

test('thermal_zone gives nothing, and succeeds, where there are none', async (t) => {
  const { text, success } = await scrape(thermalZone, { root: tree(t, { 'sys/class/x': '' }) });
  assert.deepEqual([text, success], ['', true]);
});

test('thermal_zone leaves out a temperature that cannot be read', async () => {
  const { text, success } = await scrape(thermalZone, { disk: refusingDisk('EAGAIN', 'zone0/temp') });
  assert.equal(success, true);
  assert.deepEqual(text.match(/^node_thermal_zone_temp.*$/gm), [
    'node_thermal_zone_temp{type="x86_pkg_temp",zone="1"} -3.5',
  ]);
});

test('thermal_zone tells of the others where one gives no number', async (t) => {
  const root = tree(t, {
    'sys/class/thermal/thermal_zone0/type': 'a\n',
    'sys/class/thermal/thermal_zone0/temp': 'warm\n',
    'sys/class/thermal/thermal_zone1/type': 'b\n',
    'sys/class/thermal/thermal_zone1/temp': '20000\n',
    'sys/class/thermal/thermal_zoneless/type': 'c\n',
    'sys/class/thermal/cooling_device3/type': 'Fan\n',
    'sys/class/thermal/cooling_device3/cur_state': '2\n',
  });
  const { text, error } = await scrape(thermalZone, { root });
  assert.ok(error instanceof ParseError);
  assert.deepEqual(samples(text), [
    'node_cooling_device_cur_state{name="3",type="Fan"} 2',
    'node_thermal_zone_temp{type="b",zone="1"} 20',
  ]);
});
