import assert from 'node:assert/strict';
import { test } from 'node:test';
import pressure, { parsePressure } from '../../src/collectors/pressure.ts';
import { NoDataError, ParseError } from '../../src/core/errors.ts';
import type { Tree } from '../../src/core/host.ts';
import { golden, scrape, tree } from '../helpers/scrape.ts';

const SOME = 'some avg10=0.00 avg60=0.00 avg300=0.00 total=5\n';
const FULL = 'full avg10=0.00 avg60=0.00 avg300=0.00 total=7\n';

test('parsePressure reads both lines, one, or none', () => {
  assert.deepEqual(parsePressure(SOME + FULL), { someUs: 5, fullUs: 7 });
  assert.deepEqual(parsePressure(FULL), { someUs: undefined, fullUs: 7 });
  assert.deepEqual(parsePressure(''), { someUs: undefined, fullUs: undefined });
});

for (const text of ['some \n', 'some avg10=0.00\n', 'full total=x\n', 'full total=-1\n'])
  test(`parsePressure refuses ${JSON.stringify(text)}`, () => assert.throws(() => parsePressure(text), ParseError));

test('pressure: the fixtures scrape to the golden text', (t) => golden(t, pressure));

test('pressure tells what an older kernel watches', async (t) => {
  const { text, success } = await scrape(pressure, { root: tree(t, { 'proc/pressure/cpu': SOME }) });
  assert.equal(success, true);
  assert.deepEqual(text.match(/^node.*$/gm), ['node_pressure_cpu_waiting_seconds_total 5e-06']);
});

for (const [why, files, told] of [
  ['without any of the files', {}, ''],
  ['without the line of those that wait', { 'proc/pressure/cpu': FULL }, ''],
  ['without the line of those that stall', { 'proc/pressure/cpu': SOME, 'proc/pressure/io': SOME }, 'cpu_waiting'],
] as const)
  test(`pressure has no data ${why}`, async (t) => {
    const { error, text } = await scrape(pressure, { root: tree(t, files) });
    assert.ok(error instanceof NoDataError);
    assert.match(text, new RegExp(told));
    assert.doesNotMatch(text, /_io_/);
  });

test('pressure has no data where the kernel was booted without it', async () => {
  const refusing = (fs: Tree): Tree => ({
    ...fs,
    read() {
      throw Object.assign(new Error('ENOTSUP: not supported'), { code: 'ENOTSUP' });
    },
  });
  assert.ok((await scrape(pressure, { wrap: refusing })).error instanceof NoDataError);
});
