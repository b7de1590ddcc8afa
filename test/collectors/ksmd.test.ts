import assert from 'node:assert/strict';
import { test } from 'node:test';
import ksmd from '../../src/collectors/ksmd.ts';
import { ParseError } from '../../src/core/errors.ts';
import { golden, scrape, tree } from '../helpers/scrape.ts';

test('ksmd: the fixtures scrape to the golden text', (t) => golden(t, ksmd));

test('ksmd gives nothing, and succeeds, where the kernel has no merging', async (t) => {
  const { text, success } = await scrape(ksmd, { root: tree(t, { 'sys/kernel/mm/x': '' }) });
  assert.deepEqual([text, success], ['', true]);
});

for (const bad of ['', 'x', '1 2'])
  test(`ksmd refuses ${JSON.stringify(bad)} for a number`, async (t) => {
    const { error } = await scrape(ksmd, { root: tree(t, { 'sys/kernel/mm/ksm/run': `${bad}\n` }) });
    assert.ok(error instanceof ParseError);
  });
