import assert from 'node:assert/strict';
import { test } from 'node:test';
import nvmesubsystem, { stateOf } from '../../src/collectors/nvmesubsystem.ts';
import { NoDataError } from '../../src/core/errors.ts';
import { refusingDisk } from '../helpers/disk.ts';
import { samplesIn } from '../helpers/odd.ts';
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

const AT = 'sys/class/nvme-subsystem/nvme-subsys0';
const FILES = {
  [`${AT}/subsysnqn`]: 'nqn\n',
  [`${AT}/model`]: 'm\n',
  [`${AT}/serial`]: 's\n',
  [`${AT}/iopolicy`]: 'numa\n',
  [`${AT}/nvme0n1/size`]: '1\n',
  [`${AT}/nvme0c0n1/size`]: '1\n',
  [`${AT}/power/control`]: 'auto\n',
  ...Object.fromEntries(
    ['live', 'live', 'dead'].flatMap((state, i) => [
      [`${AT}/nvme${i}/state`, `${state}\n`],
      [`${AT}/nvme${i}/transport`, 'tcp\n'],
    ]),
  ),
};

test('paths that are live are counted among all, and a path is no namespace', async (t) => {
  const { text } = await scrape(nvmesubsystem, { root: tree(t, FILES) });
  const samples = samplesIn(text);
  assert.ok(samples.includes('node_nvmesubsystem_paths{subsystem="nvme-subsys0"} 3'));
  assert.ok(samples.includes('node_nvmesubsystem_paths_live{subsystem="nvme-subsys0"} 2'));
  assert.deepEqual(
    samples.filter((sample) => sample.includes('namespace')),
    ['node_nvmesubsystem_namespace_info{device="nvme0n1",subsystem="nvme-subsys0"} 1'],
  );
});

test('a path whose state is not known is neither live nor not', async (t) => {
  const root = tree(t, FILES);
  const { text } = await scrape(nvmesubsystem, { root, disk: refusingDisk('EACCES', '/nvme1/state') });
  assert.match(text, /^node_nvmesubsystem_paths\{subsystem="nvme-subsys0"\} 3$/m);
  assert.doesNotMatch(text, /paths_live|path_state\{controller="nvme1"/);
  assert.match(text, /path_state\{controller="nvme2"/);
});

for (const [file, usually, then] of [
  ['iopolicy', /iopolicy="numa"/g, 'iopolicy=""'],
  ['serial', /serial="s"/g, 'serial=""'],
  ['nvme1/transport', /controller="nvme1",(.*)transport="tcp"/g, 'controller="nvme1",$1transport=""'],
] as const)
  for (const code of ['ENOENT', 'EACCES', 'EINVAL'])
    test(`nvmesubsystem: ${file} that answers ${code} is left out, and nothing else`, async (t) => {
      const root = tree(t, FILES);
      const usual = await scrape(nvmesubsystem, { root });
      const { text, success } = await scrape(nvmesubsystem, { root, disk: refusingDisk(code, `/${file}`) });
      assert.equal(success, true);
      assert.equal(text, usual.text.replace(usually, then));
    });
