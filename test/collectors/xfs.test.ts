import assert from 'node:assert/strict';
import { test } from 'node:test';
import xfs from '../../src/collectors/xfs.ts';
import { ParseError } from '../../src/core/errors.ts';
import { samplesIn } from '../helpers/odd.ts';
import { golden, prepared, scrape, tree } from '../helpers/scrape.ts';

const STATS = 'sys/fs/xfs/sda/stats/stats';

test('xfs: the fixtures scrape to the golden text', (t) => golden(t, xfs));

/** Of what is written, what is not 0. */
const counted = (text: string): string[] => samplesIn(text).filter((sample) => !sample.endsWith(' 0'));

test('xfs writes the lines that it knows; lines that are missing count as zero', async (t) => {
  const files = { [STATS]: 'rw 1 4294967295\nvnodes 1 2 3 4 5 6 7\nxpc 99999999999 0 0\nconstructor x\n' };
  const { text, error } = await scrape(xfs, { root: tree(t, files) });
  assert.equal(error, undefined);
  assert.deepEqual(counted(text), [
    'node_xfs_read_calls_total{device="sda"} 4.294967295e+09',
    ...[
      ['active', 1],
      ['allocate', 2],
      ['get', 3],
      ['hold', 4],
      ['reclaim', 6],
      ['release', 5],
      ['remove', 7],
    ].map(([name, count]) => `node_xfs_vnode_${name}_total{device="sda"} ${count}`),
    'node_xfs_write_calls_total{device="sda"} 1',
  ]);
  assert.match(text, /^node_xfs_directory_operation_getdents_total\{device="sda"\} 0$/m);
});

test('xfs takes lines of vnodes with how many are free', async (t) => {
  const { text, success } = await scrape(xfs, { root: tree(t, { [STATS]: 'vnodes 1 2 3 4 5 6 7 8\n' }) });
  assert.ok(success);
  assert.equal(counted(text).length, 7);
});

for (const line of ['rw 1', 'rw 1 2 3', 'rw 1 x', 'rw 1 -1', 'vnodes 1 2 3 4 5 6', 'vnodes 1 2 3 4 5 6 7 8 9', 'ig'])
  test(`xfs: the line '${line}' costs itself alone`, async (t) => {
    const root = tree(t, { [STATS]: `${line}\ndir 0 0 0 4\n` });
    const { text, error, faultsTotal } = await prepared(xfs, { root })();
    assert.deepEqual(counted(text), ['node_xfs_directory_operation_getdents_total{device="sda"} 4']);
    assert.equal(faultsTotal, 1);
    assert.equal((error as Error).message, new ParseError(`${root}/${STATS}`, line).message);
    const families = { rw: 'read_calls', vnodes: 'vnode_active', ig: 'inode_operation_found' };
    const family = families[line.split(' ')[0] as keyof typeof families];
    assert.doesNotMatch(text, new RegExp(`node_xfs_${family}`), 'what cannot be read is not 0');
  });

test('xfs: without XFS there is nothing, and no fault', async (t) => {
  assert.deepEqual(await scrape(xfs, { root: tree(t, {}) }), { text: '', success: true, error: undefined });
});

test('xfs: a file system without statistics is passed over', async (t) => {
  const root = tree(t, { 'sys/fs/xfs/sda/log/x': '', 'sys/fs/xfs/sdb/stats/stats': 'dir 1 2 3 4\n' });
  const { text, success } = await scrape(xfs, { root });
  assert.ok(success);
  assert.match(text, /node_xfs_directory_operation_getdents_total\{device="sdb"\} 4\n/);
  assert.doesNotMatch(text, /device="sda"/);
});
