import assert from 'node:assert/strict';
import { test } from 'node:test';
import schedstat, { parseSchedstat } from '../../src/collectors/schedstat.ts';
import { NoDataError, ParseError } from '../../src/core/errors.ts';
import { golden, scrape, tree } from '../helpers/scrape.ts';

test('parseSchedstat reads the lines of CPUs', () => {
  assert.deepEqual(parseSchedstat('version 17\ntimestamp 1\ncpu10 0 0 0 0 0 0 7 8 9\ndomain0 SMT 3 0 0\n'), [
    { cpu: '10', runningNs: 7, waitingNs: 8, timeslices: 9 },
  ]);
});

for (const text of ['cpu0 0 0 0 0 0 0 7 8\n', 'cpu0 0 0 0 0 0 0 7 8 x\n', 'cpu0x 0 0 0 0 0 0 7 8 9\n'])
  test(`parseSchedstat refuses ${JSON.stringify(text)}`, () => assert.throws(() => parseSchedstat(text), ParseError));

test('schedstat: the fixtures scrape to the golden text', (t) => golden(t, schedstat));

test('schedstat has no data on a kernel without the file', async (t) => {
  assert.ok((await scrape(schedstat, { root: tree(t, {}) })).error instanceof NoDataError);
});
