import assert from 'node:assert/strict';
import { test } from 'node:test';
import nvmesubsystem, { stateOf } from '../../src/collectors/nvmesubsystem.ts';
import { NoDataError } from '../../src/core/errors.ts';
import { golden, scrape, tree } from '../helpers/scrape.ts';

test('nvmesubsystem: the fixtures scrape to the golden text', (t) => golden(t, nvmesubsystem));

for (const [text, state] of [
  ['live', 'live'],
  ['deleting (no IO)', 'deleting'],
  ['what is new', 'unknown'],
  ['', 'unknown'],
] as const)
  test(`the state '${text}' is ${state}`, () => assert.equal(stateOf(text), state));

test('without subsystems there is nothing', async (t) => {
  assert.ok((await scrape(nvmesubsystem, { root: tree(t, {}) })).error instanceof NoDataError);
});

test('paths that are live are counted among all', async (t) => {
  const at = 'sys/class/nvme-subsystem/nvme-subsys0';
  const attributes = ['subsysnqn', 'model', 'serial', 'iopolicy'].map((file) => [`${at}/${file}`, 'x\n']);
  const paths = ['live', 'live', 'dead'].flatMap((state, i) => [
    [`${at}/nvme${i}/state`, `${state}\n`],
    [`${at}/nvme${i}/transport`, 'tcp\n'],
  ]);
  const { text } = await scrape(nvmesubsystem, { root: tree(t, Object.fromEntries([...attributes, ...paths])) });
  assert.match(text, /^node_nvmesubsystem_paths\{subsystem="nvme-subsys0"\} 3$/m);
  assert.match(text, /^node_nvmesubsystem_paths_live\{subsystem="nvme-subsys0"\} 2$/m);
});

test('a subsystem that may not be read counts as none', async () => {
  const { error } = await scrape(nvmesubsystem, {
    wrap: (each) => ({
      ...each,
      attribute(path) {
        throw Object.assign(new Error(`EACCES: permission denied, open '${path}'`), { code: 'EACCES' });
      },
    }),
  });
  assert.ok(error instanceof NoDataError);
});
