import assert from 'node:assert/strict';
import { test } from 'node:test';
import zfs from '../../src/collectors/zfs.ts';
import { NoDataError, ParseError } from '../../src/core/errors.ts';
import { samplesIn, testFile } from '../helpers/odd.ts';
import { golden, scrape, tree } from '../helpers/scrape.ts';

test('zfs: the fixtures scrape to the golden text', (t) => golden(t, zfs));

const HEAD = '13 1 0x01 5 1360 1 2\nname                            type data\n';
const AT = 'proc/spl/kstat/zfs';

testFile(zfs, `${AT}/zil`, [
  [
    'numbers, and names as a metric can have them',
    `${HEAD}a 4 1\nb-c 3 -2\nx.y.d 4 18446744073709551615\ne 7 text\nf 7\n`,
    ['node_zfs_zil_a 1', 'node_zfs_zil_b_c -2', 'node_zfs_zil_d 1.8446744073709552e+19'],
  ],
  ['a negative number where there can be none', `${HEAD}a 4 -1\nb 4 2\n`, ['node_zfs_zil_b 2'], 'a 4 -1'],
  ['what is no number', `${HEAD}a 3 x\nb 4 2\n`, ['node_zfs_zil_b 2'], 'a 3 x'],
  ['no value', `${HEAD}a 4\nb 4 2\n`, ['node_zfs_zil_b 2'], 'a 4'],
  ['what is no type', `${HEAD}a x 1\nb 4 2\n`, ['node_zfs_zil_b 2'], 'a x 1'],
  ['no header', 'a 4 1\nb 4 2\n', [], 'b 4 2'],
]);

for (const text of ['', 'x\n'])
  test(`zfs: a file ${JSON.stringify(text)} leaves the others as they are`, async (t) => {
    const root = tree(t, {
      [`${AT}/arcstats`]: text,
      [`${AT}/zil`]: `${HEAD}zil_a 4 1\n`,
      [`${AT}/p/state`]: 'ONLINE\n',
      [`${AT}/p/objset-1`]: `${HEAD}dataset_name 7 a\nreads 4 1\n`,
      [`${AT}/p/objset-2`]: text,
    });
    const { text: written, error } = await scrape(zfs, { root });
    assert.ok(error instanceof ParseError);
    assert.match(written, /^node_zfs_zil_zil_a 1$/m);
    assert.match(written, /^node_zfs_zpool_dataset_reads\{dataset="a",zpool="p"\} 1$/m);
    assert.match(written, /node_zfs_zpool_state\{state="online",zpool="p"\} 1\n/);
  });

const NAMES = 'nread nwritten reads writes wtime wlentime wupdate rtime rlentime rupdate wcnt rcnt';
const NUMBERS = '1 2 3 4 5 6 7 8 9 10 11 12';

testFile(zfs, `${AT}/p/io`, [
  [
    'names and numbers',
    `1 2 3\n${NAMES}\n${NUMBERS}\n`,
    NAMES.split(' ')
      .map((name, i) => `node_zfs_zpool_${name}{zpool="p"} ${i + 1}`)
      .sort(),
  ],
  ['a short line', `1\n${NAMES}\n1 2 3\n`, [], '1 2 3'],
  ['what is no number', `1\n${NAMES}\n${NUMBERS.replace('7', 'x')}\n`, [], NUMBERS.replace('7', 'x')],
  ['no numbers', `1\n${NAMES}\n`, [], NAMES],
  ['too few names', '1\nnread nwritten\n1 2\n', [], 'nread nwritten'],
]);

testFile(zfs, `${AT}/p/objset-1`, [
  [
    'a name with blanks, and what is no counter',
    `${HEAD}dataset_name                    7    a/b  7 c \nreads 4 1\nsigned 3 -1\n`,
    ['node_zfs_zpool_dataset_reads{dataset="a/b  7 c",zpool="p"} 1'],
  ],
  [
    'an odd line',
    `${HEAD}dataset_name 7 a\nreads 4 x\nwrites 4 2\n`,
    ['node_zfs_zpool_dataset_writes{dataset="a",zpool="p"} 2'],
    'reads 4 x',
  ],
]);

test('a dataset without a name is a fault; a pool that says nothing of its state has none', async (t) => {
  const nameless = await scrape(zfs, { root: tree(t, { [`${AT}/p/objset-1`]: `${HEAD}reads 4 1\n` }) });
  assert.ok(nameless.error instanceof ParseError);
  const { text, success } = await scrape(zfs, { root: tree(t, { [`${AT}/p/state`]: '\n' }) });
  assert.deepEqual([samplesIn(text), success], [[], true]);
});

test('without ZFS there is nothing', async (t) => {
  assert.ok((await scrape(zfs, { root: tree(t, {}) })).error instanceof NoDataError);
});
