import assert from 'node:assert/strict';
import { test } from 'node:test';
import lnstat from '../../src/collectors/lnstat.ts';
import { testFile } from '../helpers/odd.ts';
import { golden, scrape, tree } from '../helpers/scrape.ts';

test('lnstat: the fixtures scrape to the golden text', (t) => golden(t, lnstat));

const good = (cpu: number): string[] => [
  `node_lnstat_allocs_total{cpu="${cpu}",subsystem="x"} 255`,
  `node_lnstat_entries_total{cpu="${cpu}",subsystem="x"} 31`,
];

testFile(lnstat, 'proc/net/stat/x', [
  ['names and a row', 'entries\t\tallocs\n0000001f ff\n', good(0)],
  ['a row that is too short', 'entries allocs\n2\n', ['node_lnstat_entries_total{cpu="0",subsystem="x"} 2']],
  ['names alone', 'entries\n', []],
  ['an empty file', '', []],
  ['a row longer than the names', 'entries allocs\n1 2 3\n1f ff\n', good(1), '1 2 3'],
  ['what is not hexadecimal', 'entries allocs\n0x1 1\n1f ff\n', good(1), '0x1 1'],
  ['an empty line', 'entries allocs\n\n1f ff\n', good(0)],
]);

for (const [why, files] of [
  ['tables', { 'proc/net/x': '' }],
  ['a network', {}],
] as const)
  test(`lnstat: a machine without ${why} is no fault`, async (t) => {
    assert.deepEqual(await scrape(lnstat, { root: tree(t, files) }), { text: '', success: true, error: undefined });
  });
