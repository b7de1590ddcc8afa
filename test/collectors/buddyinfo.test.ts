import { test } from 'node:test';
import buddyinfo from '../../src/collectors/buddyinfo.ts';
import { testFile } from '../helpers/odd.ts';
import { golden } from '../helpers/scrape.ts';

test('buddyinfo: the fixtures scrape to the golden text', (t) => golden(t, buddyinfo));

const DMA = 'Node 0, zone      DMA      1      2 \n';
const NORMAL = 'Node 1, zone   Normal      3      4 \n';
const samplesOf = (node: string, zone: string, counts: readonly number[]): string[] =>
  counts.map((count, order) => `node_buddyinfo_blocks{node="${node}",size="${order}",zone="${zone}"} ${count}`);
const good = samplesOf('0', 'DMA', [1, 2]);

testFile(buddyinfo, 'proc/buddyinfo', [
  ['two zones', DMA + NORMAL, [...good, ...samplesOf('1', 'Normal', [3, 4])]],
  ['more orders', `${DMA}Node 1, zone Movable 5 6 7\n`, [...good, ...samplesOf('1', 'Movable', [5, 6, 7])]],
  ['a line without a zone', `Node 0, zone\n${DMA}`, good, 'Node 0, zone'],
  ['a line without counts', `${DMA}Node 0, zone Normal\n`, good, 'Node 0, zone Normal'],
  ['an empty line', `\n${DMA}`, good],
  ['what is no number', `Node 0, zone Normal 1 x 3\n${DMA}`, good, 'Node 0, zone Normal 1 x 3'],
  ['an empty file', '', [], ''],
]);
