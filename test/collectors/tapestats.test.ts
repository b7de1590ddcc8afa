import assert from 'node:assert/strict';
import { test } from 'node:test';
import tapestats from '../../src/collectors/tapestats.ts';
import { NoDataError, ParseError } from '../../src/core/errors.ts';
import { samplesIn } from '../helpers/odd.ts';
import { golden, scrape, tree } from '../helpers/scrape.ts';

test('tapestats: the fixtures scrape to the golden text', (t) => golden(t, tapestats));

test('without a tape driver there is nothing', async (t) => {
  assert.ok((await scrape(tapestats, { root: tree(t, {}) })).error instanceof NoDataError);
});

test('drives can be left out', async () => {
  const { text, success } = await scrape(tapestats, { argv: ['--collector.tapestats.ignored-devices=^st0$'] });
  assert.deepEqual([text, success], ['', true]);
});

test('a statistic that a drive lacks is left out; one that is no number costs itself alone', async (t) => {
  const at = 'sys/class/scsi_tape/st3/stats';
  const ioTime = ['node_tape_io_time_seconds_total{device="st3"} 1e-09'];
  const lacking = await scrape(tapestats, { root: tree(t, { [`${at}/io_ns`]: '1\n' }) });
  assert.deepEqual([lacking.success, samplesIn(lacking.text)], [true, ioTime]);
  const odd = await scrape(tapestats, { root: tree(t, { [`${at}/io_ns`]: '1\n', [`${at}/in_flight`]: 'x\n' }) });
  assert.ok(odd.error instanceof ParseError);
  assert.deepEqual(samplesIn(odd.text), ioTime);
});
