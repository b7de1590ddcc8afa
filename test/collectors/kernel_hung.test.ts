import assert from 'node:assert/strict';
import { test } from 'node:test';
import kernelHung from '../../src/collectors/kernel_hung.ts';
import { NoDataError, ParseError } from '../../src/core/errors.ts';
import { golden, scrape, tree } from '../helpers/scrape.ts';

test('kernel_hung: the fixtures scrape to the golden text', (t) => golden(t, kernelHung));

test('kernel_hung has no data on a kernel that does not count', async (t) => {
  assert.ok((await scrape(kernelHung, { root: tree(t, {}) })).error instanceof NoDataError);
});

test('kernel_hung refuses what is not a number', async (t) => {
  const root = tree(t, { 'proc/sys/kernel/hung_task_detect_count': '-1\n' });
  assert.ok((await scrape(kernelHung, { root })).error instanceof ParseError);
});
