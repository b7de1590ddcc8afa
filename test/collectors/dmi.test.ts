import assert from 'node:assert/strict';
import { test } from 'node:test';
import dmi from '../../src/collectors/dmi.ts';
import { NoDataError } from '../../src/core/errors.ts';
import { refusingDisk } from '../helpers/disk.ts';
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

for (const code of ['EACCES', 'EPERM', 'EIO', 'ENODATA'])
  test(`dmi leaves out what answers ${code}`, async () => {
    const { text, success } = await scrape(dmi, { disk: refusingDisk(code, '/board_name') });
    assert.equal(success, true);
    assert.doesNotMatch(text, /board_name/);
    assert.match(text, /board_vendor="Supermicro"/);
  });

test('dmi fails where a file cannot be read for another reason', async () => {
  assert.equal((await scrape(dmi, { disk: refusingDisk('EPROTO', '/board_name') })).success, false);
});

test('dmi lays out once', async () => {
  const again = prepared(dmi);
  const first = await again();
  assert.deepEqual(await again(), first);
});
