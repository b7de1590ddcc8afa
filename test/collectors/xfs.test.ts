import assert from 'node:assert/strict';
import { test } from 'node:test';
import xfs, { parseXfsStats } from '../../src/collectors/xfs.ts';
import { ParseError } from '../../src/core/errors.ts';
import { golden, scrape, tree } from '../helpers/scrape.ts';

test('xfs: the fixtures scrape to the golden text', (t) => golden(t, xfs));

test('parseXfsStats keeps the lines that are told', () => {
  assert.deepEqual(
    [...parseXfsStats('rw 1 4294967295\nvnodes 1 2 3 4 5 6 7\nxpc 99999999999 0 0\nconstructor x\n')],
    [
      ['rw', [1, 4294967295]],
      ['vnodes', [1, 2, 3, 4, 5, 6, 7]],
    ],
  );
});

for (const line of [
  'rw 1',
  'rw 1 2 3',
  'rw 1 x',
  'rw 1 4294967296',
  'rw 1 -1',
  'vnodes 1 2 3 4 5 6',
  'vnodes 1 2 3 4 5 6 7 8 9',
  'ig',
])
  test(`parseXfsStats refuses '${line}'`, () => assert.throws(() => parseXfsStats(`${line}\n`), ParseError));

test('without XFS nothing is told', async (t) => {
  const { text, success } = await scrape(xfs, { root: tree(t, {}) });
  assert.deepEqual([text, success], ['', true]);
});

test('one file system that cannot be read leaves the others told; lines that are missing count as zero', async (t) => {
  const root = tree(t, { 'sys/fs/xfs/sda/stats/stats': 'rw x y\n', 'sys/fs/xfs/sdb/stats/stats': 'dir 1 2 3 4\n' });
  const { text, error } = await scrape(xfs, { root });
  assert.ok(error instanceof ParseError);
  assert.match(text, /node_xfs_directory_operation_getdents_total\{device="sdb"\} 4\n/);
  assert.match(text, /node_xfs_read_calls_total\{device="sdb"\} 0\n/);
  assert.doesNotMatch(text, /device="sda"/);
});
