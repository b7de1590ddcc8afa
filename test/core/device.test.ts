import assert from 'node:assert/strict';
import { test } from 'node:test';
import { forEachDevice, neededAttribute } from '../../src/core/device.ts';
import { NoDataError } from '../../src/core/errors.ts';
import { openTree } from '../../src/core/kernel_fs.ts';
import { tree } from '../helpers/scrape.ts';

const turn = { signal: new AbortController().signal, leftMs: () => 1, pause: () => undefined };

test('one device that fails does not keep the others from being told; the first fault is thrown', async () => {
  const told: string[] = [];
  const telling = forEachDevice(['a', 'b', 'c', 'd'], turn, (device) => {
    if (device === 'b' || device === 'c') throw new Error(device);
    told.push(device);
  });
  await assert.rejects(telling, { message: 'b' });
  assert.deepEqual(told, ['a', 'd']);
});

test('the end of a collector’s time ends the telling', async () => {
  let told = 0;
  const over = { ...turn, pause: () => (told === 1 ? Promise.reject(new Error('late')) : undefined) };
  await assert.rejects(
    forEachDevice(['a', 'b'], over, () => {
      told += 1;
    }),
    { message: 'late' },
  );
  assert.equal(told, 1);
});

test('an attribute that is needed and not there means that there is nothing to tell of', (t) => {
  const sys = openTree(tree(t, { 'a/b': ' x\n' }));
  assert.equal(neededAttribute(sys, 'a/b'), 'x');
  assert.throws(() => neededAttribute(sys, 'a/c'), NoDataError);
});
