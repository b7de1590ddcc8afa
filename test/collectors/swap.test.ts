import assert from 'node:assert/strict';
import { test } from 'node:test';
import swap from '../../src/collectors/swap.ts';
import { testFile } from '../helpers/odd.ts';
import { golden, scrape, tree } from '../helpers/scrape.ts';

const HEADING = 'Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n';

const samplesOf = (device: string, type: string, [size, used, priority]: readonly (number | string)[]) => [
  `node_swap_priority{device="${device}",swap_type="${type}"} ${priority}`,
  `node_swap_size_bytes{device="${device}",swap_type="${type}"} ${size}`,
  `node_swap_used_bytes{device="${device}",swap_type="${type}"} ${used}`,
];

const AREA = '/dev/sda2 partition 1024 12 -2\n';
const AREA_SAMPLES = samplesOf('/dev/sda2', 'partition', ['1.048576e+06', 12288, -2]);

testFile(swap, 'proc/swaps', [
  ['an area', HEADING + AREA, AREA_SAMPLES],
  ['a name with a blank', `${HEADING}/swap\\040file file 1 0 5\n`, samplesOf('/swap\\\\040file', 'file', [1024, 0, 5])],
  ['no area', HEADING, []],
  ['nothing at all', '', [], ''],
  [
    'a line that is too short',
    `${HEADING}/dev/sdb partition 1024 12\n${AREA}`,
    AREA_SAMPLES,
    '/dev/sdb partition 1024 12',
  ],
  ['an empty line', `${HEADING}\n${AREA}`, AREA_SAMPLES],
  ['a size that is not a number', `${HEADING}${AREA}/dev/sdb file x 12 -2\n`, AREA_SAMPLES, '/dev/sdb file x 12 -2'],
  ['a negative size', `${HEADING}${AREA}/dev/sdb file -1 12 -2\n`, AREA_SAMPLES, '/dev/sdb file -1 12 -2'],
]);

test('swap: the fixtures scrape to the golden text', (t) => golden(t, swap));

test('swap fails where there is no file', async (t) => {
  const { success } = await scrape(swap, { root: tree(t, { 'proc/x': '' }) });
  assert.equal(success, false);
});
