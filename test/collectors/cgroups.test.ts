import { test } from 'node:test';
import cgroups from '../../src/collectors/cgroups.ts';
import { testFile } from '../helpers/odd.ts';
import { golden } from '../helpers/scrape.ts';

test('cgroups: the fixtures scrape to the golden text', (t) => golden(t, cgroups));

const HEADING = '#subsys_name\thierarchy\tnum_cgroups\tenabled\n';
const MEMORY = 'memory\t0\t143\t1\n';
const good = ['node_cgroups_cgroups{subsys_name="memory"} 143', 'node_cgroups_enabled{subsys_name="memory"} 1'];

testFile(cgroups, 'proc/cgroups', [
  ['a controller', HEADING + MEMORY, good],
  ['no controllers', HEADING, []],
  ['a line that is too short', `${HEADING}cpu\t0\t143\n${MEMORY}`, good, 'cpu\t0\t143'],
  ['an empty line', `${HEADING}\n${MEMORY}`, good],
  ['a count that is no number', `${HEADING}cpu\t0\tx\t1\n${MEMORY}`, good, 'cpu\t0\tx\t1'],
]);
