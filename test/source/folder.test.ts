import assert from 'node:assert/strict';
import { test } from 'node:test';
import { NotYet } from '../../src/core/not_yet.ts';
import { createSource } from '../../src/source/source.ts';
import { createMemory } from '../helpers/memory.ts';

test('outside of scrapes a folder is listed whenever it is asked for', () => {
  const disk = createMemory({ '/t/a/x': '' });
  const folder = createSource({ disk }).openTree('/t').folder('a');
  assert.deepEqual(folder.names(), ['x']);
  disk.write('/t/a/y', '');
  assert.deepEqual(folder.names(), ['x', 'y']);
});

test('a folder that hangs is listed when it has answered, in the same scrape', async () => {
  const disk = Object.assign(createMemory({ '/k/a/x': '' }), { mounts: () => '3 1 0:8 / /k rw - fuse.x none rw\n' });
  const source = createSource({ disk });
  const folder = source.openTree('/k').folder('a');
  source.clock.begin();
  let wait: NotYet | undefined;
  try {
    folder.names();
  } catch (error) {
    if (!(error instanceof NotYet)) throw error;
    wait = error;
  }
  await wait?.answered;
  assert.deepEqual(folder.names(), ['x']);
});
