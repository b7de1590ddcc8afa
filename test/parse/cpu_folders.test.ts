import assert from 'node:assert/strict';
import { test } from 'node:test';
import { cpuFolders } from '../../src/parse/cpu_folders.ts';
import { openTree } from '../../src/source/source.ts';
import { tree } from '../helpers/scrape.ts';

const DIR = 'devices/system/cpu';

test('cpuFolders finds CPUs by the order of names, and nothing else', (t) => {
  const names = ['cpu2/online', 'cpu10/online', 'cpu0/uevent', 'cpufreq/boost', 'cpuidle/current_driver', 'online'];
  const root = tree(t, Object.fromEntries(names.map((name) => [`${DIR}/${name}`, ''])));
  assert.deepEqual(cpuFolders(openTree(root)), [
    { path: `${DIR}/cpu0`, number: 0 },
    { path: `${DIR}/cpu10`, number: 10 },
    { path: `${DIR}/cpu2`, number: 2 },
  ]);
});

test('a machine without CPUs is refused', (t) => {
  const sys = openTree(tree(t, { [`${DIR}/online`]: '0\n' }));
  assert.throws(() => cpuFolders(sys), /no CPUs/);
});
