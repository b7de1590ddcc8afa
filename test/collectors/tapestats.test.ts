import assert from 'node:assert/strict';
import { test } from 'node:test';
import tapestats from '../../src/collectors/tapestats.ts';
import { NoDataError, ParseError } from '../../src/core/errors.ts';
import { golden, scrape, tree } from '../helpers/scrape.ts';

test('tapestats: the fixtures scrape to the golden text', (t) => golden(t, tapestats));

test('without a tape driver there is nothing', async (t) => {
  assert.ok((await scrape(tapestats, { root: tree(t, {}) })).error instanceof NoDataError);
});

test('drives can be left out', async () => {
  const { text, success } = await scrape(tapestats, { argv: ['--collector.tapestats.ignored-devices=^st0$'] });
  assert.deepEqual([text, success], ['', true]);
});

test('a drive without statistics means no data; what is no number is a fault', async (t) => {
  const at = 'sys/class/scsi_tape/st3/stats';
  assert.ok((await scrape(tapestats, { root: tree(t, { [`${at}/io_ns`]: '1\n' }) })).error instanceof NoDataError);
  assert.ok((await scrape(tapestats, { root: tree(t, { [`${at}/in_flight`]: 'x\n' }) })).error instanceof ParseError);
});
