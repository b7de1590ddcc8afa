import assert from 'node:assert/strict';
import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { programFlags } from '../../src/cli/flags.ts';
import { collectors } from '../../src/collectors/index.ts';
import { messageOf } from '../../src/core/errors.ts';
import { parseFlags } from '../../src/core/flag.ts';
import { silent } from '../../src/core/log.ts';
import { openMachine } from '../../src/machine.ts';
import type { Netlink } from '../../src/netlink/netlink.ts';
import { createSource } from '../../src/source/source.ts';
import { FLAGS, PAST_HOST } from '../helpers/collected.ts';
import { kernelOf } from '../helpers/netlink.ts';
import { FIXTURES, scrape, tree } from '../helpers/scrape.ts';

/** Letters of one byte in Latin-1, and beyond. */
const NAMES = ['ré', '日本', 'ré 日本'];

/** What netlink reports is this machine's. */
const closed = (): Netlink => kernelOf(() => EPERM);
const EPERM = 1;

const above = mkdtempSync(join(tmpdir(), 'keyhole-roots-'));
after(() => rmSync(above, { recursive: true }));
for (const name of ['plain', ...NAMES])
  cpSync(FIXTURES, join(above, name), { recursive: true, verbatimSymlinks: true, preserveTimestamps: true });

for (const collector of collectors.filter(({ name }) => !Object.hasOwn(PAST_HOST, name)))
  test(`${collector.name} sees the same below a folder of any name`, async () => {
    const seen = async (name: string): Promise<string> => {
      const root = join(above, name);
      const argv = (FLAGS[collector.name] ?? []).map((flag) => flag.replace(FIXTURES, `${root}/`));
      const machine = { root, rootfs: root, netlink: closed, now: 1_700_000_000_000 };
      const { text, error } = await scrape(collector, { ...machine, argv });
      return `${text}${error === undefined ? '' : messageOf(error).replaceAll(`${root}/`, '<root>/')}`;
    };
    const plain = await seen('plain');
    for (const name of NAMES) assert.equal(await seen(name), plain, name);
  });

test('every flag that names a tree takes any letters', () => {
  const flags = Object.values(programFlags).filter(({ name }) => name.startsWith('path.'));
  for (const name of NAMES) {
    const root = join(above, name);
    const paths = { 'path.procfs': 'proc', 'path.sysfs': 'sys', 'path.rootfs': '', 'path.udev.data': 'run/udev/data' };
    const argv = Object.entries(paths).map(([flag, path]) => `--${flag}=${join(root, path)}`);
    const { machine } = openMachine(parseFlags(argv, flags), silent, { needsProc: true, end() {} });
    assert.match(machine.proc.read('stat'), /^cpu /);
    assert.ok(machine.sys.list('class').includes('net'));
    assert.ok(machine.udev.list('').some((file) => file.startsWith('b')));
    assert.match(machine.root.read('etc/os-release'), /^NAME=/m);
    assert.deepEqual(
      [machine.proc.root, machine.proc.path('stat'), machine.proc.file('stat').path],
      [join(root, 'proc'), join(root, 'proc/stat'), Buffer.from(join(root, 'proc/stat')).toString('latin1')],
    );
  }
});

test('what is refused is named as text', (t) => {
  const root = join(tree(t, { 'ré日本/proc/x': '' }), 'ré日本');
  const { openTree } = createSource();
  assert.throws(() => openTree(root).read('none\xe9'), { message: new RegExp(`${root}/none\ufffd`) });
});
