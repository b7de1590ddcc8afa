import assert from 'node:assert/strict';
import { test } from 'node:test';
import btrfs, { allocationRatio, parseCommitStats } from '../../src/collectors/btrfs.ts';
import { ParseError } from '../../src/core/errors.ts';
import { golden, scrape, tree } from '../helpers/scrape.ts';

test('btrfs: the fixtures scrape to the golden text', (t) => golden(t, btrfs));

for (const [profile, devices, ratio] of [
  ['single', 1, 1],
  ['raid0', 2, 1],
  ['dup', 1, 2],
  ['raid1', 2, 2],
  ['raid10', 4, 2],
  ['raid1c3', 3, 3],
  ['raid1c4', 4, 4],
  ['raid5', 4, 4 / 3],
  ['raid6', 4, 2],
  ['constructor', 4, 0],
] as const)
  test(`a byte takes ${ratio} in ${profile} of ${devices}`, () =>
    assert.equal(allocationRatio(profile, devices), ratio));

for (const text of ['', 'commits x\n', 'commits 1\nlast_commit_ms 2\n'])
  test(`parseCommitStats refuses ${JSON.stringify(text)}`, () =>
    assert.throws(() => parseCommitStats(text), ParseError));

test('without Btrfs nothing is told', async (t) => {
  const { text, success } = await scrape(btrfs, { root: tree(t, { 'sys/fs/btrfs/features/raid56': '1\n' }) });
  assert.deepEqual([text, success], ['', true]);
});

test('a file system of an old kernel has no commits and is named by its folder', async (t) => {
  const root = tree(t, {
    'sys/fs/btrfs/a-1/label': '\n',
    'sys/fs/btrfs/a-1/allocation/data/single/total_bytes': '8\n',
    'sys/fs/btrfs/a-1/allocation/data/single/used_bytes': '4\n',
    'sys/fs/btrfs/b-2/allocation/global_rsv_size': 'x\n',
  });
  const { text, error } = await scrape(btrfs, { root });
  assert.ok(error instanceof ParseError);
  assert.match(text, /node_btrfs_info\{label="",uuid="a-1"\} 1\n/);
  assert.match(text, /node_btrfs_commits_total\{uuid="a-1"\} 0\n/);
  assert.match(text, /node_btrfs_used_bytes\{block_group_type="data",mode="single",uuid="a-1"\} 4\n/);
  assert.doesNotMatch(text, /reserved_bytes|rsv|b-2/);
});
