import assert from 'node:assert/strict';
import { test } from 'node:test';
import meminfoNuma from '../../src/collectors/meminfo_numa.ts';
import { testFile } from '../helpers/odd.ts';
import { golden, scrape, tree } from '../helpers/scrape.ts';

test('meminfo_numa: the fixtures scrape to the golden text', (t) => golden(t, meminfoNuma));

const NODE = 'sys/devices/system/node/node3';
const ACTIVE = 'Node 3 Active(anon): 2 kB\n';
const active = ['node_memory_numa_Active_anon{node="3"} 2048'];

testFile(meminfoNuma, `${NODE}/meminfo`, [
  ['bytes', ACTIVE, active],
  ['pages', 'Node 3 HugePages_Total: 4\n', ['node_memory_numa_HugePages_Total{node="3"} 4']],
  [
    'a number that touches its name',
    'Node 3 ShadowCallStack:10373888 kB\n',
    ['node_memory_numa_ShadowCallStack{node="3"} 1.0622861312e+10'],
  ],
  ['an empty line', `\n${ACTIVE}`, active],
  ['a line that is too short', `Node 3 MemTotal:\n${ACTIVE}`, active, 'Node 3 MemTotal:'],
  ['another unit', `Node 3 MemTotal: 1 MB\n${ACTIVE}`, active, 'Node 3 MemTotal: 1 MB'],
  ['a line that is too long', `Node 3 MemTotal: 1 kB kB\n${ACTIVE}`, active, 'Node 3 MemTotal: 1 kB kB'],
  ['what is no number', `Node 3 MemTotal: x kB\n${ACTIVE}`, active, 'Node 3 MemTotal: x kB'],
]);

const hits = ['node_memory_numa_numa_hit_total{node="3"} 5'];

testFile(meminfoNuma, `${NODE}/numastat`, [
  ['a count', 'numa_hit 5\n', hits],
  ['an empty line', '\nnuma_hit 5\n', hits],
  ['a name alone', 'numa_miss\nnuma_hit 5\n', hits, 'numa_miss'],
  ['two numbers', 'numa_miss 1 2\nnuma_hit 5\n', hits, 'numa_miss 1 2'],
  ['what is no number', 'numa_miss x\nnuma_hit 5\n', hits, 'numa_miss x'],
]);

for (const [why, files] of [
  ['nodes', { 'sys/devices/system/node/possible': '0\n' }],
  ['a folder for nodes', {}],
] as const)
  test(`meminfo_numa gives nothing, and succeeds, without ${why}`, async (t) => {
    const { text, success } = await scrape(meminfoNuma, { root: tree(t, files) });
    assert.deepEqual([text, success], ['', true]);
  });
