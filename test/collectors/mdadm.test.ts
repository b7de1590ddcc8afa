import assert from 'node:assert/strict';
import { test } from 'node:test';
import mdadm, { parseMdstat } from '../../src/collectors/mdadm.ts';
import { NoDataError, ParseError } from '../../src/core/errors.ts';
import { golden, prepared, scrape, tree } from '../helpers/scrape.ts';

test('mdadm: the fixtures scrape to the golden text', (t) => golden(t, mdadm));

const ARRAY = {
  name: 'md0',
  state: 'active',
  disksActive: 2,
  disksFailed: 0,
  disksSpare: 0,
  disksRequired: 2,
  blocks: 100,
  blocksSynced: 100,
};
const RAID1 = 'md0 : active raid1 sdb1[1] sda1[0]\n      100 blocks super 1.2 [2/2] [UU]\n';

for (const [why, text, expected] of [
  ['an array', `${RAID1}      \n`, ARRAY],
  ['an array at the end of the file', RAID1, ARRAY],
  ['a bitmap', `${RAID1}      bitmap: 0/1 pages [0KB], 65536KB chunk\n\n`, ARRAY],
  [
    'failed and spare disks',
    'md0 : active raid1 sdd1[3](S) sdc1[2](F) sda1[0]\n      100 blocks super 1.2 [2/1] [U_]\n',
    { ...ARRAY, disksActive: 1, disksFailed: 1, disksSpare: 1 },
  ],
  [
    'a recovery',
    `${RAID1}      [==>.....]  recovery = 12.6% (12/100) finish=127.5min speed=33440K/sec\n`,
    { ...ARRAY, state: 'recovering', blocksSynced: 12 },
  ],
  [
    'a reshape',
    `${RAID1}      [==>.....]  reshape = 12.6% (12/100) finish=127.5min speed=33440K/sec\n`,
    { ...ARRAY, state: 'reshaping', blocksSynced: 12 },
  ],
  [
    'a check, below a bitmap',
    `${RAID1}      bitmap: 0/1 pages [0KB], 65536KB chunk\n      [==>.....]  check = 50.0% (50/100) finish=1min speed=1K/sec\n`,
    { ...ARRAY, state: 'checking', blocksSynced: 50 },
  ],
  ['a resync that waits', `${RAID1}      \tresync=DELAYED\n`, { ...ARRAY, state: 'resyncing', blocksSynced: 0 }],
  ['a resync elsewhere', `${RAID1}      \tresync=REMOTE\n`, { ...ARRAY, state: 'resyncing', blocksSynced: undefined }],
  [
    'a recovery elsewhere',
    `${RAID1}      \trecover=REMOTE\n`,
    { ...ARRAY, state: 'recovering', blocksSynced: undefined },
  ],
  ['no redundancy', 'md0 : active raid0 sda1[0] sdb1[1]\n      100 blocks 64k chunks\n', ARRAY],
  [
    'a disk that a vendor marks',
    'md0 : active raid1 sdb1[1](E)\n      100 blocks [2/1] [_E]\n',
    { ...ARRAY, disksActive: 1 },
  ],
  ...['md_inactive', 'md_linear', 'md_raid0'].map(
    (name) => [`the name ${name}`, RAID1.replace('md0', name), { ...ARRAY, name }] as const,
  ),
  ['an array that is only read', RAID1.replace('active', 'active (auto-read-only)'), ARRAY],
  [
    'a bitmap in a file whose path holds a word of ours',
    `${RAID1}      bitmap: 0/1 pages [0KB], 65536KB chunk, file: /var/lib/recovery/check=1\n`,
    ARRAY,
  ],
  [
    'an inactive array',
    'md0 : inactive sda[0](S)\n      100 blocks super external:imsm\n',
    { ...ARRAY, state: 'inactive', disksActive: 0, disksRequired: 0, disksSpare: 1 },
  ],
] as const)
  test(`parseMdstat reads ${why}`, () => {
    const head = 'Personalities : [raid1] [raid0]\n';
    assert.deepEqual(parseMdstat(`${head}${text}unused devices: <none>\n`), { arrays: [expected], faults: [] });
  });

test('parseMdstat reads no arrays', () => {
  assert.deepEqual(parseMdstat('Personalities : \nunused devices: <none>\n'), { arrays: [], faults: [] });
});

for (const [why, text, odd] of [
  ['an array without a status', 'md1 : active raid1 sda1[0]\n', 'md1 : active raid1 sda1[0]'],
  ['a status without a size', 'md1 : active raid1 sda1[0]\n      super 1.2 [2/2] [UU]\n', '      super 1.2 [2/2] [UU]'],
  ['a status without disks', 'md1 : active raid1 sda1[0]\n      100 blocks super 1.2\n', '      100 blocks super 1.2'],
  [
    'progress without numbers',
    `${RAID1.replace('md0', 'md1')}      [=>...]  recovery = 12.6%\n`,
    '      [=>...]  recovery = 12.6%',
  ],
  ['what is no array', 'md1 active\n      100 blocks\n', 'md1 active'],
] as const)
  test(`parseMdstat: ${why} costs itself alone`, () => {
    assert.deepEqual(parseMdstat(text + RAID1), { arrays: [ARRAY], faults: [new ParseError('mdstat', odd)] });
  });

test('mdadm writes the arrays that can be read, and reports one that cannot', async (t) => {
  const root = tree(t, { 'proc/mdstat': `md1 active\n${RAID1}` });
  const { text, error, faultsTotal } = await prepared(mdadm, { root })();
  assert.match(text, /node_md_blocks\{device="md0"\} 100\n/);
  assert.equal(faultsTotal, 1);
  assert.equal((error as Error).message, new ParseError('mdstat', 'md1 active').message);
});

test('without md there is nothing', async (t) => {
  const { error, text } = await scrape(mdadm, { root: tree(t, { 'proc/stat': '' }) });
  assert.ok(error instanceof NoDataError);
  assert.equal(text, '');
});

test('an array without its attributes leaves the others told', async (t) => {
  const root = tree(t, {
    'proc/mdstat': RAID1,
    'sys/block/md0/md/level': 'raid1\n',
    'sys/block/md1/md/level': 'raid6\n',
    'sys/block/md1/md/raid_disks': '4\n',
    'sys/block/md1/md/degraded': '1\n',
    'sys/block/sda/size': '1\n',
  });
  const { text, error } = await scrape(mdadm, { root });
  assert.equal(error, undefined);
  assert.match(text, /node_md_blocks\{device="md0"\} 100\n/);
  assert.match(text, /node_md_degraded\{device="md1"\} 1\n/);
  assert.doesNotMatch(text, /node_md_degraded\{device="md0"\}/);
});
