import assert from 'node:assert/strict';
import { test } from 'node:test';
import vmstat from '../../src/collectors/vmstat.ts';
import { testFile } from '../helpers/odd.ts';
import { golden, scrape, tree } from '../helpers/scrape.ts';

test('vmstat: the fixtures scrape to the golden text', (t) => golden(t, vmstat));

const PGFAULT = 'pgfault 12\n';
const pgfault = 'node_vmstat_pgfault 12';

testFile(vmstat, 'proc/vmstat', [
  ['a name and a value', PGFAULT, [pgfault]],
  ...(
    [
      ['a line with one field', 'oom_kill'],
      ['what is not a number', 'pgpgin x'],
    ] as const
  ).map(([why, line]) => [why, `${line}\n${PGFAULT}`, [pgfault], line] as const),
]);

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
