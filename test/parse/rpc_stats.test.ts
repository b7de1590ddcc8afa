import assert from 'node:assert/strict';
import { test } from 'node:test';
import { messageOf } from '../../src/core/errors.ts';
import { gauge } from '../../src/core/metric.ts';
import { NFS_METHODS, rpcStatsOf } from '../../src/parse/rpc_stats.ts';
import { createSource } from '../../src/source/source.ts';
import { samplesIn } from '../helpers/odd.ts';
import { tree } from '../helpers/scrape.ts';
import { runner } from '../helpers/table.ts';

const LAYOUTS = {
  net: { kind: 'fixed', count: 2 },
  th: { kind: 'leading', count: 1 },
  ops: { kind: 'counted', least: 2 },
} as const;
const value = gauge('value', 'A value of a line, by its place.', 'label', 'place');

const NET = 'net 1 2\n';
const net = ['net 0 1', 'net 1 2', 'net or none 1'];

for (const [why, text, expected, odd, passedOver] of [
  [
    'each line as its layout says',
    `${NET}th 8 0.000 x\nops 3 7 8 9\n`,
    [...net, 'ops 0 7', 'ops 1 8', 'ops 2 9', 'th 0 8'],
  ],
  ['an empty line', `\n${NET}`, net],
  ['a label without a layout', `new 1\n${NET}`, net, undefined, 'the line new'],
  ['a label that every object has', `constructor 1\n${NET}`, net, undefined, 'the line constructor'],
  ['too few values', `net 1\nth 8\n`, ['th 0 8'], 'net 1'],
  ['too many values', `net 1 2 3\nth 8\n`, ['th 0 8'], 'net 1 2 3'],
  ['what is not a number', `net 1 -2\nth 8\n`, ['th 0 8'], 'net 1 -2'],
  ['a label alone', `th\n${NET}`, net, 'th'],
  ['a count that is too high', `ops 3 7 8\n${NET}`, net, 'ops 3 7 8'],
  ['a count that is too low', `ops 2 7 8 9\n${NET}`, net, 'ops 2 7 8 9'],
  ['a count that is no number', `ops x 7 8\n${NET}`, net, 'ops x 7 8'],
  ['fewer counted values than there must be', `ops 1 7\n${NET}`, net, 'ops 1 7'],
] as const)
  test(`rpcStatsOf reads ${why}`, (t) => {
    const table = createSource()
      .openTree(tree(t, { stats: text }))
      .table('stats', (lines, out) => {
        const stats = rpcStatsOf(lines, LAYOUTS, out);
        for (const label of Object.keys(LAYOUTS))
          for (const place of [0, 1, 2]) out.sample(value, stats.at(label, place), label, String(place));
        out.sample(value, stats.orNone('net', 0), 'net', 'or none');
      });
    const { text: written, faults, passedOver: names, thrown } = runner(table)();
    assert.equal(thrown, undefined);
    const samples = samplesIn(written).map((sample) => sample.replace(/^value\{label="(.*)",place="(.*)"\}/, '$1 $2'));
    assert.deepEqual(samples, expected);
    assert.deepEqual(names, passedOver === undefined ? [] : [passedOver]);
    assert.equal(faults.length, odd === undefined ? 0 : 1);
    if (odd !== undefined) assert.ok(messageOf(faults[0]).endsWith(`cannot parse ${JSON.stringify(odd)}`));
  });

test('the protocols have as many procedures as their RFCs', () => {
  assert.equal(NFS_METHODS[2].length, 18);
  assert.equal(NFS_METHODS[3].length, 22);
});
