import assert from 'node:assert/strict';
import { test } from 'node:test';
import { programFlags } from '../src/cli/flags.ts';
import { parseFlags } from '../src/core/flag.ts';
import { silent } from '../src/core/log.ts';
import { openMachine } from '../src/machine.ts';

const flags = Object.values(programFlags).filter(({ name }) => name.startsWith('path.'));
const open = (...argv: readonly string[]) =>
  openMachine(parseFlags(argv, flags), silent, { needsProc: true, end() {} }).machine;

test('no path at all is not the root, which would open all of it to the process', () => {
  for (const flag of ['path.procfs', 'path.sysfs'])
    assert.throws(() => open(`--${flag}=`), { name: 'UsageError', message: `--${flag}:  is not a directory` });
  const { udev } = open('--path.udev.data=');
  for (const path of ['', 'proc', 'b8:0']) assert.equal(udev.exists(path), false, path);
});
