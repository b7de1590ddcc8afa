import assert from 'node:assert/strict';
import { test } from 'node:test';
import vmstat, { parseVmstat } from '../../src/collectors/vmstat.ts';
import { ParseError } from '../../src/core/errors.ts';
import { golden, scrape, tree } from '../helpers/scrape.ts';

test('parseVmstat reads names and values', () => {
  assert.deepEqual(
    [...parseVmstat('pgfault 12\noom_kill 0\n')],
    [
      ['pgfault', 12],
      ['oom_kill', 0],
    ],
  );
});

for (const [why, text] of [
  ['a line with one field', 'pgfault 12\noom_kill\n'],
  ['an empty line', '\n'],
  ['what is not a number, in whichever field', 'nr_dirty x\n'],
] as const)
  test(`parseVmstat refuses ${why}`, () => assert.throws(() => parseVmstat(text), ParseError));

test('vmstat: the fixtures scrape to the golden text', (t) => golden(t, vmstat));

test('vmstat gives the fields asked for, and all for an empty pattern', async () => {
  const some = await scrape(vmstat, { argv: ['--collector.vmstat.fields=^numa_(hit|miss)$'] });
  assert.deepEqual(some.text.match(/^node_\w+ \S+$/gm), [
    'node_vmstat_numa_hit 9.18273645e+08',
    'node_vmstat_numa_miss 0',
  ]);
  const all = await scrape(vmstat, { argv: ['--collector.vmstat.fields='] });
  assert.equal(all.text.match(/^node_vmstat_/gm)?.length, 25);
});

test('vmstat fails where there is no file', async (t) => {
  const { success } = await scrape(vmstat, { root: tree(t, { 'proc/x': '' }) });
  assert.equal(success, false);
});
