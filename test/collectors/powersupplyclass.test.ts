import assert from 'node:assert/strict';
import { test } from 'node:test';
import powersupplyclass from '../../src/collectors/powersupplyclass.ts';
import { NoDataError, ParseError } from '../../src/core/errors.ts';
import { refusingDisk } from '../helpers/disk.ts';
import { golden, scrape, tree } from '../helpers/scrape.ts';

const BATTERY = 'sys/class/power_supply/BAT0';
const samples = (text: string): string[] => [...(text.match(/^[^#].*$/gm) ?? [])];

test('powersupplyclass: the fixtures scrape to the golden text', (t) => golden(t, powersupplyclass));

test('powersupplyclass has no data where the folder is missing', async (t) => {
  const { error } = await scrape(powersupplyclass, { root: tree(t, { 'sys/class/x': '' }) });
  assert.ok(error instanceof NoDataError);
});

test('powersupplyclass leaves out the supplies named', async () => {
  const { text } = await scrape(powersupplyclass, { argv: ['--collector.powersupply.ignored-supplies=^(BAT|ucsi)'] });
  assert.deepEqual([...new Set(text.match(/(?<=power_supply=")[^"]+/g))], ['AC']);
});

for (const code of ['ENODATA', 'EINVAL', 'ENOTSUP', 'EACCES', 'ENODEV'])
  test(`powersupplyclass succeeds without an attribute that gives ${code}`, async () => {
    const { text, success } = await scrape(powersupplyclass, { disk: refusingDisk(code, '/energy_now') });
    assert.equal(success, true);
    assert.doesNotMatch(text, /energy_watthour/);
    assert.match(text, /^node_power_supply_energy_full{power_supply="BAT0"} 47.52$/m);
  });

test('powersupplyclass tells of the rest where an attribute gives no number', async (t) => {
  const root = tree(t, { [`${BATTERY}/capacity`]: 'low\n', [`${BATTERY}/temp`]: '-55\n', [`${BATTERY}/type`]: '\n' });
  const { text, error } = await scrape(powersupplyclass, { root });
  assert.ok(error instanceof ParseError);
  assert.deepEqual(samples(text), [
    'node_power_supply_info{power_supply="BAT0"} 1',
    'node_power_supply_temp_celsius{power_supply="BAT0"} -5.5',
  ]);
});
