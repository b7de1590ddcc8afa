import assert from 'node:assert/strict';
import { test } from 'node:test';
import schedstat from '../../src/collectors/schedstat.ts';
import { NoDataError } from '../../src/core/errors.ts';
import { testFile } from '../helpers/odd.ts';
import { golden, scrape, tree } from '../helpers/scrape.ts';

test('schedstat: the fixtures scrape to the golden text', (t) => golden(t, schedstat));

const CPU10 = 'cpu10 0 0 0 0 0 0 7 8 9\n';
const samples = [
  'node_schedstat_running_seconds_total{cpu="10"} 7e-09',
  'node_schedstat_timeslices_total{cpu="10"} 9',
  'node_schedstat_waiting_seconds_total{cpu="10"} 8e-09',
];

testFile(schedstat, 'proc/schedstat', [
  ['the lines of CPUs', `version 17\ntimestamp 1\n${CPU10}domain0 SMT 3 0 0\n`, samples],
  ...['cpu0 0 0 0 0 0 0 7 8', 'cpu0 0 0 0 0 0 0 7 8 x', 'cpu0x 0 0 0 0 0 0 7 8 9'].map(
    (line) => [`the line ${JSON.stringify(line)}`, `${line}\n${CPU10}`, samples, line] as const,
  ),
]);

test('schedstat has no data on a kernel without the file', async (t) => {
  assert.ok((await scrape(schedstat, { root: tree(t, {}) })).error instanceof NoDataError);
});
