import assert from 'node:assert/strict';
import { test } from 'node:test';
import softirqs from '../../src/collectors/softirqs.ts';
import { ParseError } from '../../src/core/errors.ts';
import { testFile } from '../helpers/odd.ts';
import { golden, scrape, tree } from '../helpers/scrape.ts';

const of = (type: string, ...counts: readonly (readonly [cpu: number, count: number])[]): string[] =>
  counts.map(([cpu, count]) => `node_softirqs_functions_total{cpu="${cpu}",type="${type}"} ${count}`);

const HEADING = '  CPU0 CPU2\n';

testFile(softirqs, 'proc/softirqs', [
  ['a CPU that is offline', `${HEADING} HI: 1 2\n`, of('HI', [0, 1], [2, 2])],
  ['a type that is new to us', `${HEADING} NEW: 3 4\n HI: 1 2\n`, of('HI', [0, 1], [2, 2])],
  ['a row that is too short', `${HEADING} HI: 1\n RCU: 5 6\n`, of('RCU', [0, 5], [2, 6]), ' HI: 1'],
  ['a row that is too long', `${HEADING} HI: 1 2 3\n RCU: 5 6\n`, of('RCU', [0, 5], [2, 6]), ' HI: 1 2 3'],
  ['what is not a number', `${HEADING} HI: 1 x\n RCU: 5 6\n`, of('RCU', [0, 5], [2, 6]), ' HI: 1 x'],
  ['an empty line', `${HEADING}\n RCU: 5 6\n`, of('RCU', [0, 5], [2, 6])],
]);

for (const [why, text] of [
  ['an empty file', ''],
  ['a file without its heading', ' HI: 1 2\n'],
] as const)
  test(`softirqs of ${why} are a fault`, async (t) => {
    const { text: written, error } = await scrape(softirqs, { root: tree(t, { 'proc/softirqs': text }) });
    assert.ok(error instanceof ParseError);
    assert.equal(written, '');
  });

test('softirqs: the fixtures scrape to the golden text', (t) => golden(t, softirqs));
