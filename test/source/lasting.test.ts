import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createSource } from '../../src/source/source.ts';
import { refusal } from '../helpers/disk.ts';
import { createMemory } from '../helpers/memory.ts';

test('a file that cannot be opened again is still read after the process had no descriptor left for a moment', () => {
  const memory = createMemory({
    '/proc/self/mountstats': 'device x\n',
    '/proc/stat': 'cpu\n',
    '/proc/kept': 'x\n',
    '/proc/other': 'x\n',
  });
  const { open } = memory;
  let isSealed = false;
  const disk = Object.assign(memory, {
    open(path: string) {
      if (isSealed && path.endsWith('mountstats')) throw refusal('EACCES', path);
      return open(path);
    },
  });
  const source = createSource({ disk });
  const proc = source.openTree('/proc');
  const mountstats = proc.lasting('self/mountstats');
  mountstats.tryRead();
  proc.file('kept').tryRead();
  isSealed = true;
  source.clock.begin();
  assert.equal(mountstats.tryText(), 'device x\n');
  memory.openMax = 2; // the one that is kept
  source.clock.begin();
  proc.passing('other').tryText();
  memory.openMax = Number.POSITIVE_INFINITY;
  source.clock.begin();
  assert.equal(mountstats.tryText(), 'device x\n');
});
