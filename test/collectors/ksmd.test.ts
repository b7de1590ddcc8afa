import assert from 'node:assert/strict';
import { test } from 'node:test';
import ksmd from '../../src/collectors/ksmd.ts';
import { testFile } from '../helpers/odd.ts';
import { golden, scrape, tree } from '../helpers/scrape.ts';

test('ksmd: the fixtures scrape to the golden text', (t) => golden(t, ksmd));

test('ksmd gives nothing, and succeeds, where the kernel has no merging', async (t) => {
  const { text, success } = await scrape(ksmd, { root: tree(t, { 'sys/kernel/mm/x': '' }) });
  assert.deepEqual([text, success], ['', true]);
});

testFile(
  ksmd,
  'sys/kernel/mm/ksm/run',
  [
    ['a number', '2\n', ['node_ksmd_general_profit_bytes -4096', 'node_ksmd_run 2']],
    ['no value', '\n', ['node_ksmd_general_profit_bytes -4096']],
    ['what is no number', 'x\n', ['node_ksmd_general_profit_bytes -4096'], 'x'],
    ['two numbers', '1 2\n', ['node_ksmd_general_profit_bytes -4096'], '1 2'],
  ],
  { files: { 'sys/kernel/mm/ksm/general_profit': '-4096\n' } },
);
