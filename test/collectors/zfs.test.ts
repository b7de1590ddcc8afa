import assert from 'node:assert/strict';
import { test } from 'node:test';
import zfs, { parseKstat, parsePoolIo } from '../../src/collectors/zfs.ts';
import { NoDataError, ParseError } from '../../src/core/errors.ts';
import { golden, scrape, tree } from '../helpers/scrape.ts';

test('zfs: the fixtures scrape to the golden text', (t) => golden(t, zfs));

const HEAD = '13 1 0x01 5 1360 1 2\nname                            type data\n';

test('parseKstat reads numbers, and names as a metric can have them', () => {
  const { values, dataset } = parseKstat(
    'f',
    `${HEAD}a 4 1\nb-c 3 -2\nx.y.d 4 18446744073709551615\ne 7 text\nshort 4\n`,
  );
  assert.deepEqual(values, [
    ['a', 1],
    ['b_c', -2],
    ['d', 2 ** 64],
  ]);
  assert.equal(dataset, undefined);
});

test('parseKstat reads a dataset’s name with its blanks', () => {
  assert.equal(parseKstat('f', `${HEAD}dataset_name                    7    a/b  7 c \n`).dataset, 'a/b  7 c');
});

for (const [why, text] of [
  ['a file without its header', 'a 4 1\n'],
  ['an empty file', ''],
  ['a negative number where there can be none', `${HEAD}a 4 -1\n`],
  ['what is no number', `${HEAD}a 3 x\n`],
] as const)
  test(`parseKstat refuses ${why}`, () => assert.throws(() => parseKstat('f', text), ParseError));

const NAMES = 'nread nwritten reads writes wtime wlentime wupdate rtime rlentime rupdate wcnt rcnt';

test('parsePoolIo pairs names with numbers', () => {
  const io = parsePoolIo('io', `1 2 3\n${NAMES}\n1 2 3 4 5 6 7 8 9 10 11 12\n`);
  assert.deepEqual([io[0], io[11], io.length], [['nread', 1], ['rcnt', 12], 12]);
});

for (const [why, text] of [
  ['a short line', `1\n${NAMES}\n1 2 3\n`],
  ['no numbers', `1\n${NAMES}\n`],
  ['too few names', '1\nnread nwritten\n1 2\n'],
] as const)
  test(`parsePoolIo refuses ${why}`, () => assert.throws(() => parsePoolIo('io', text), ParseError));

test('without ZFS there is nothing', async (t) => {
  assert.ok((await scrape(zfs, { root: tree(t, {}) })).error instanceof NoDataError);
});

test('a file that cannot be parsed leaves the others told', async (t) => {
  const at = 'proc/spl/kstat/zfs';
  const root = tree(t, {
    [`${at}/arcstats`]: 'x\n',
    [`${at}/zil`]: `${HEAD}zil_a 4 1\n`,
    [`${at}/p/state`]: 'ONLINE\n',
  });
  const { text, error } = await scrape(zfs, { root });
  assert.ok(error instanceof ParseError);
  assert.match(text, /^node_zfs_zil_zil_a 1$/m);
  assert.match(text, /node_zfs_zpool_state\{state="online",zpool="p"\} 1\n/);
});

test('a dataset without a name and a pool without a state are faults', async (t) => {
  const at = 'proc/spl/kstat/zfs/p';
  for (const files of [{ [`${at}/objset-1`]: `${HEAD}reads 4 1\n` }, { [`${at}/state`]: '\n' }])
    assert.ok((await scrape(zfs, { root: tree(t, files) })).error instanceof ParseError);
});
