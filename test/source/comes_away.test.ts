import assert from 'node:assert/strict';
import { test } from 'node:test';
import { NotYet } from '../../src/core/not_yet.ts';
import { LOOK_MS } from '../../src/source/clock.ts';
import { createSource } from '../../src/source/source.ts';
import { createMemory } from '../helpers/memory.ts';

const MOUNTS = '1 0 8:1 / / rw - ext4 none rw\n3 1 0:8 / /k rw - nfs none rw\n';

test('a settled file that comes on a mount that may hang is seen', async () => {
  const memory = createMemory({ '/k/other': 'x' });
  const disk = Object.assign(memory, { mounts: () => MOUNTS });
  let time = 0;
  const source = createSource({ disk, now: () => time });
  const file = source.openTree('/k').settled('os-release');
  const scrape = async (): Promise<string | undefined> => {
    time += LOOK_MS;
    source.clock.begin();
    for (;;) {
      try {
        return file.tryText();
      } catch (error) {
        if (!(error instanceof NotYet)) throw error;
        await error.answered;
      }
    }
  };
  assert.equal(await scrape(), undefined);
  memory.write('/k/os-release', 'ID=x');
  const seen = [await scrape(), await scrape(), await scrape(), await scrape()];
  assert.deepEqual(seen, ['ID=x', 'ID=x', 'ID=x', 'ID=x']);
});
