import assert from 'node:assert/strict';
import { test } from 'node:test';
import dmmultipath from '../../src/collectors/dmmultipath.ts';
import { NoDataError, ParseError } from '../../src/core/errors.ts';
import { golden, scrape, tree } from '../helpers/scrape.ts';

test('dmmultipath: the fixtures scrape to the golden text', (t) => golden(t, dmmultipath));

const STATE = 'sys/block/dm-3/slaves/nvme0n1/device/state';
const multipath = (suspended: string, size: string): Record<string, string> => ({
  'sys/block/dm-3/dm/uuid': 'mpath-1\n',
  'sys/block/dm-3/dm/name': 'mpathb\n',
  'sys/block/dm-3/dm/suspended': `${suspended}\n`,
  'sys/block/dm-3/size': `${size}\n`,
  'sys/block/dm-3/slaves/nvme0n1/size': '1\n',
  [STATE]: 'live\n',
});

test('without block devices there is nothing; without multipath devices nothing is told', async (t) => {
  assert.ok((await scrape(dmmultipath, { root: tree(t, {}) })).error instanceof NoDataError);
  const { text, success } = await scrape(dmmultipath, { root: tree(t, { 'sys/block/dm-0/dm/uuid': 'LVM-x\n' }) });
  assert.deepEqual([text, success], ['', true]);
});

test('a suspended device is not active; an NVMe path works when it is live', async (t) => {
  const { text } = await scrape(dmmultipath, { root: tree(t, multipath('1', '8')) });
  assert.match(text, /node_dmmultipath_device_active\{device="mpathb",sysfs_name="dm-3"\} 0\n/);
  assert.match(text, /node_dmmultipath_device_paths_active\{device="mpathb",sysfs_name="dm-3"\} 1\n/);
  assert.match(text, /node_dmmultipath_device_size_bytes\{device="mpathb",sysfs_name="dm-3"\} 4096\n/);
});

test('a path without a state neither works nor has failed; a size that is no number costs itself alone', async (t) => {
  const { [STATE]: _, ...lacking } = multipath('0', '8');
  const without = await scrape(dmmultipath, { root: tree(t, lacking) });
  assert.equal(without.success, true);
  assert.match(without.text, /node_dmmultipath_device_paths\{device="mpathb",sysfs_name="dm-3"\} 1\n/);
  assert.doesNotMatch(without.text, /node_dmmultipath_(path_state|device_paths_(active|failed))/);
  const { text, error } = await scrape(dmmultipath, { root: tree(t, multipath('0', 'x')) });
  assert.ok(error instanceof ParseError);
  assert.match(text, /node_dmmultipath_device_active\{device="mpathb",sysfs_name="dm-3"\} 1\n/);
  assert.doesNotMatch(text, /_size_bytes/);
});
