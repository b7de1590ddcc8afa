import assert from 'node:assert/strict';
import { test } from 'node:test';
import btrfs, { allocationRatio } from '../../src/collectors/btrfs.ts';
import { errnoOf, ParseError } from '../../src/core/errors.ts';
import type { BtrfsDevices } from '../../src/core/system.ts';
import { askDevices } from '../../src/syscall/btrfs.ts';
import { SyscallError } from '../../src/syscall/libc.ts';
import { btrfsOf, UUIDS } from '../helpers/btrfs.ts';
import { testFile } from '../helpers/odd.ts';
import { golden, prepared, scrape, tree } from '../helpers/scrape.ts';

/** With these answers of mount points. */
const answering = (btrfsDevices: (path: string) => Promise<BtrfsDevices | undefined>) => ({ system: { btrfsDevices } });
const silent = answering(async () => undefined);

test('btrfs: the fixtures scrape to the golden text', (t) => golden(t, btrfs, silent));

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
  ['raid5', 1, undefined],
  ['raid6', 2, undefined],
  ['raid6', undefined, undefined],
  ['raid1', undefined, 2],
  ['constructor', 4, 0],
] as const)
  test(`a byte takes ${ratio} in ${profile} of ${devices}`, () =>
    assert.equal(allocationRatio(profile, devices), ratio));

test('without Btrfs there is nothing', async (t) => {
  const { text, success } = await scrape(btrfs, { root: tree(t, { 'sys/fs/btrfs/features/raid56': '1\n' }) });
  assert.deepEqual([text, success], ['', true]);
});

const commits = (total: number, last: number, max: number): string[] => [
  `node_btrfs_commit_seconds_total{uuid="a-1"} 0`,
  `node_btrfs_commits_total{uuid="a-1"} ${total}`,
  `node_btrfs_last_commit_seconds{uuid="a-1"} ${last}`,
  `node_btrfs_max_commit_seconds{uuid="a-1"} ${max}`,
];

testFile(
  btrfs,
  'sys/fs/btrfs/a-1/commit_stats',
  [
    ['times', 'commits 4\nlast_commit_ms 500\nmax_commit_ms 2000\ntotal_commit_ms 0\nnew_ms 1\n', commits(4, 0.5, 2)],
    ['some of them', 'commits 4\n', commits(4, 0, 0).slice(1, 2)],
    ['no value', '', []],
    ['what is no number', 'commits x\nlast_commit_ms 500\n', commits(0, 0.5, 0).slice(2, 3), 'commits x'],
  ],
  silent,
);

test('a file system of an old kernel has no commits and is named by its folder', async (t) => {
  const root = tree(t, {
    'sys/fs/btrfs/a-1/label': '\n',
    'sys/fs/btrfs/a-1/allocation/data/flags': '1\n',
    'sys/fs/btrfs/a-1/allocation/data/single/total_bytes': '8\n',
    'sys/fs/btrfs/a-1/allocation/data/single/used_bytes': '4\n',
    'sys/fs/btrfs/b-2/allocation/global_rsv_size': 'x\n',
  });
  const { text, error } = await scrape(btrfs, { root, ...silent });
  assert.ok(error instanceof ParseError);
  assert.match(text, /node_btrfs_info\{label="",uuid="a-1"\} 1\n/);
  assert.match(text, /node_btrfs_commits_total\{uuid="a-1"\} 0\n/);
  assert.match(text, /node_btrfs_used_bytes\{block_group_type="data",mode="single",uuid="a-1"\} 4\n/);
  assert.doesNotMatch(text, /reserved_bytes|rsv|mode="flags"/);
});

/** Two file systems, of which one is mounted twice. */
const MOUNTED = {
  'proc/1/mountinfo': [
    '20 1 8:1 / / rw - ext4 /dev/sda1 rw',
    '21 20 0:40 /a /closed rw - btrfs /dev/sdb rw',
    '22 20 0:40 /b /srv/caf\u00e9\\040x rw - btrfs /dev/sdb rw',
    '23 20 0:40 /c /srv/later rw - btrfs /dev/sdb rw',
    '24 20 0:41 / /other rw - btrfs /dev/sdc rw',
    '',
  ].join('\n'),
  [`sys/fs/btrfs/${UUIDS.filesystem}/label`]: 'pool\n',
  [`sys/fs/btrfs/${UUIDS.filesystem}/metadata_uuid`]: 'another\n',
  [`sys/fs/btrfs/${UUIDS.filesystem}/devices/sdb/size`]: '100\n',
  'sys/fs/btrfs/0-0/label': 'other\n',
  'sys/fs/btrfs/0-0/devices/sdc/size': '100\n',
};
const ANSWER = askDevices(
  btrfsOf({
    1: { path: '/dev/sdb', used: 10n, size: 100n, errors: [1n, 2n, 3n, 4n, 5n] },
    2: { path: '/dev/sdd', used: 20n, size: 200n },
  }),
);

test('btrfs: what a mount point answers takes the place of what sysfs says of devices', async (t) => {
  const asked: string[] = [];
  const answers = answering(async (path) => {
    asked.push(path);
    return path.includes('/srv') ? ANSWER : undefined;
  });
  await golden(t, btrfs, { ...answers, root: tree(t, MOUNTED), rootfs: '/host' }, 'btrfs_asked');
  const bytes = Buffer.from('/host/srv/caf\u00e9 x').toString('latin1');
  assert.deepEqual(asked, ['/host/closed', bytes, '/host/other']);
});

const OF_SYSFS = /node_btrfs_device_size_bytes\{device="sdb",uuid="another"\} 51200\n/;

test('btrfs: where asking fails, what sysfs says is there all the same', async (t) => {
  const answers = answering(() => Promise.reject(new SyscallError('ioctl', 5)));
  const { text, error } = await scrape(btrfs, { ...answers, root: tree(t, MOUNTED) });
  assert.ok(error instanceof Error);
  assert.match(text, OF_SYSFS);
});

test('btrfs: a mount point that cannot be asked costs itself alone', async (t) => {
  const answers = answering((path) =>
    path.includes('/srv') ? Promise.resolve(ANSWER) : Promise.reject(new SyscallError('ioctl', 5)),
  );
  const { text, error } = await scrape(btrfs, { ...answers, root: tree(t, MOUNTED) });
  assert.equal(errnoOf(error), 'EIO');
  assert.match(text, /btrfs_dev_uuid=/);
});

test('btrfs: an odd line among the mounts costs itself alone', async (t) => {
  const mounts = MOUNTED['proc/1/mountinfo'];
  const files = { ...MOUNTED, 'proc/1/mountinfo': `nonsense\n${mounts}` };
  const both = [];
  for (const root of [tree(t, files), tree(t, MOUNTED)])
    both.push((await scrape(btrfs, { ...answering(async () => ANSWER), root })).text);
  assert.equal(both[0], both[1]);
  const { text, success } = await scrape(btrfs, {
    ...answering(async () => ANSWER),
    root: tree(t, { ...MOUNTED, 'proc/1/mountinfo': 'nonsense\n' }),
  });
  assert.ok(success);
  assert.match(text, OF_SYSFS);
});

test('btrfs: mounts that are hidden are no fault', async (t) => {
  const { 'proc/1/mountinfo': _, ...files } = MOUNTED;
  const { text, success } = await scrape(btrfs, { ...answering(async () => ANSWER), root: tree(t, files) });
  assert.equal(success, true);
  assert.doesNotMatch(text, /btrfs_dev_uuid/);
});

test('btrfs: sysfs speaks of devices again as soon as nobody answers', async (t) => {
  let answer: BtrfsDevices | undefined = ANSWER;
  const again = prepared(btrfs, { ...answering(async () => answer), root: tree(t, MOUNTED) });
  assert.match((await again()).text, /device="sdd"/);
  answer = undefined;
  const { text } = await again();
  assert.match(text, OF_SYSFS);
  assert.doesNotMatch(text, /btrfs_dev_uuid/);
});
