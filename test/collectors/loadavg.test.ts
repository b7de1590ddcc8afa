import { test } from 'node:test';
import loadavg from '../../src/collectors/loadavg.ts';
import { testFile } from '../helpers/odd.ts';
import { golden } from '../helpers/scrape.ts';

test('loadavg: the fixtures scrape to the golden text', (t) => golden(t, loadavg));

testFile(loadavg, 'proc/loadavg', [
  ['three averages', '0.21 0.37 0.39 1/719 19737\n', ['node_load1 0.21', 'node_load15 0.39', 'node_load5 0.37']],
  ['an empty file', '', [], ''],
  ['a truncated file', '0.21 0.3', [], '0.21 0.3'],
  ['what is not a number', '0.21 x 0.39 1/719 19737\n', [], '0.21 x 0.39 1/719 19737'],
]);
