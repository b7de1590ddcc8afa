import assert from 'node:assert/strict';
import { test } from 'node:test';
import { findRunning, unitIn } from '../../src/cli/running.ts';
import { openTree } from '../../src/source/source.ts';
import { tree } from '../helpers/scrape.ts';

for (const [cgroup, unit] of [
  ['0::/system.slice/keyhole.service\n', 'keyhole.service'],
  ['0::/system.slice/keyhole.service/worker\n', 'keyhole.service'],
  ['12:cpu:/\n0::/user.slice/user-0.slice/session-1.scope\n', 'session-1.scope'],
  ['0::/\n', ''],
  ['', ''],
] as const)
  test(`the unit in ${JSON.stringify(cgroup)}`, () => assert.equal(unitIn(cgroup), unit));

test('the first Keyhole that serves is found, and no command and no other program', (t) => {
  const root = tree(t, {
    'self/cmdline': 'keyhole\0',
    '10/cmdline': '/usr/bin/keyhole\0doctor\0',
    '20/cmdline': '/usr/bin/prometheus\0',
    '30/cmdline': '',
    '8/cmdline': 'keyhole\0opener\0--path.sysfs=/sys\0',
    '9/cmdline': 'keyhole\0--collector.perf\0',
    '40/cmdline': '/usr/bin/keyhole\0--collector.perf\0--no-collector.arp\0',
    '40/cgroup': '0::/system.slice/keyhole.service\n',
  });
  assert.deepEqual(findRunning(openTree(root), 9), {
    pid: 40,
    argv: ['--collector.perf', '--no-collector.arp'],
    unit: 'keyhole.service',
  });
  assert.deepEqual(findRunning(openTree(root), 40), { pid: 9, argv: ['--collector.perf'], unit: '' });
  const contained = { '8/cmdline': 'keyhole\0', '8/cgroup': '0::/kubepods.slice/cri-containerd-1.scope\n' };
  assert.equal(findRunning(openTree(tree(t, contained)), 9), undefined);
  assert.equal(findRunning(openTree(tree(t, { '1/cmdline': 'init\0' })), 9), undefined);
});
