import assert from 'node:assert/strict';
import { test } from 'node:test';
import dmi from '../../src/collectors/dmi.ts';
import { NoDataError } from '../../src/core/errors.ts';
import { golden, prepared, scrape, tree } from '../helpers/scrape.ts';

test('dmi: the fixtures scrape to the golden text', (t) => golden(t, dmi));

for (const [why, files] of [
  ['there is no folder', { 'sys/class/x': '' }],
  ['no label is available', { 'sys/class/dmi/id/chassis_type': '3\n' }],
] as const)
  test(`dmi has no data where ${why}`, async (t) => {
    const { error } = await scrape(dmi, { root: tree(t, files) });
    assert.ok(error instanceof NoDataError);
  });

const failing = (code: string) =>
  scrape(dmi, {
    wrap: (fs) => ({
      ...fs,
      attribute(path) {
        if (path.endsWith('board_name')) throw Object.assign(new Error(code), { code });
        return fs.attribute(path);
      },
    }),
  });

test('dmi leaves out what only root may read', async () => {
  const { text, success } = await failing('EACCES');
  assert.equal(success, true);
  assert.doesNotMatch(text, /board_name/);
  assert.match(text, /board_vendor="Supermicro"/);
});

test('dmi fails where a file cannot be read for another reason', async () => {
  assert.equal((await failing('EIO')).success, false);
});

test('dmi reads once', async () => {
  let reads = 0;
  const again = prepared(dmi, {
    wrap: (fs) => ({
      ...fs,
      attribute(path) {
        reads += 1;
        return fs.attribute(path);
      },
    }),
  });
  const first = await again();
  const readsOfOne = reads;
  assert.equal((await again()).text, first.text);
  assert.ok(readsOfOne > 0);
  assert.equal(reads, readsOfOne);
});
