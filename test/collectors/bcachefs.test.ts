import assert from 'node:assert/strict';
import { test } from 'node:test';
import bcachefs, {
  parseBtreeWrites,
  parseCompressionStats,
  parseCounter,
  parseErrors,
  parseIoDone,
  parseIoErrors,
  parseSize,
} from '../../src/collectors/bcachefs.ts';
import { NoDataError, ParseError } from '../../src/core/errors.ts';
import { golden, scrape, tree } from '../helpers/scrape.ts';

test('bcachefs: the fixtures scrape to the golden text', (t) => golden(t, bcachefs));

for (const [text, value] of [
  ['0', 0],
  ['512k', 524288],
  ['1.5K', 1536],
  ['19.3 GiB', 20723217203],
  ['67.0G', 71940702208],
  ['512 B', 512],
  ['1E', 2 ** 60],
  ['', undefined],
  ['k', undefined],
  ['1x', undefined],
  ['-1', undefined],
] as const)
  test(`parseSize reads '${text}' as ${value}`, () => assert.equal(parseSize(text), value));

test('parseCompressionStats skips the titles and short lines', () => {
  assert.deepEqual(
    parseCompressionStats('type compressed uncompressed\nlz4: 1k 2k 3k\nzstd 1.0 MiB 2.0 MiB 4 KiB\nx 1\n'),
    [
      { algorithm: 'lz4', compressed: 1024, uncompressed: 2048 },
      { algorithm: 'zstd', compressed: 1048576, uncompressed: 2097152 },
    ],
  );
});

test('parseErrors, parseBtreeWrites, parseIoDone and parseIoErrors read their files', () => {
  assert.deepEqual(parseErrors('a 1 1700000000\nb 2\nc\n'), [
    ['a', 1],
    ['b', 2],
  ]);
  assert.deepEqual(parseBtreeWrites('  nr  size\ninitial: 5 1.5k\nsplit 1 2\n'), [
    { type: 'initial', count: 5, averageBytes: 1536 },
    { type: 'split', count: 1, averageBytes: 2 },
  ]);
  assert.deepEqual(parseIoDone('read:\nsb : 1\n\nwrite:\nsb : 2\n'), [
    { operation: 'read', dataType: 'sb', bytes: 1 },
    { operation: 'write', dataType: 'sb', bytes: 2 },
  ]);
  assert.deepEqual(
    parseIoErrors('IO errors since 8 y ago\n read: 9\nIO errors since filesystem creation\n read: 1\n'),
    [['read', 1]],
  );
});

test('parseCounter wants what was counted since the file system was created', () => {
  assert.equal(parseCounter('c', 'since mount:  1\nsince filesystem creation:  2.0 KiB\n'), 2048);
  assert.equal(parseCounter('c', 'since mount:  1\n'), undefined);
});

for (const [why, parse] of [
  ['a compressed size', () => parseCompressionStats('t\nlz4 x 1\n')],
  ['a count of errors', () => parseErrors('a x\n')],
  ['a count of writes', () => parseBtreeWrites('nr size\na x 1\n')],
  ['a size of writes', () => parseBtreeWrites('nr size\na 1 x\n')],
  ['a counter with neither line', () => parseCounter('c', 'x: 1\n')],
  ['a counter that is no number', () => parseCounter('c', 'since filesystem creation: x\n')],
  ['bytes before a section', () => parseIoDone('sb : 1\n')],
  ['a line without a colon', () => parseIoDone('read:\nsb 1\n')],
  ['bytes that are no number', () => parseIoDone('read:\nsb : x\n')],
  ['a count of a device’s errors', () => parseIoErrors('IO errors since filesystem creation\n read: x\n')],
] as const)
  test(`bcachefs refuses ${why}`, () => assert.throws(parse, ParseError));

test('without file systems there is nothing', async (t) => {
  assert.ok((await scrape(bcachefs, { root: tree(t, {}) })).error instanceof NoDataError);
  assert.ok((await scrape(bcachefs, { root: tree(t, { 'sys/fs/bcachefs/x': '' }) })).error instanceof NoDataError);
});

test('a device that cannot be read leaves the others told', async (t) => {
  const root = tree(t, {
    'sys/fs/bcachefs/u/dev-0/nbuckets': 'x\n',
    'sys/fs/bcachefs/u/dev-1/nbuckets': '5\n',
    'sys/fs/bcachefs/u/counters/io-read.x': 'since filesystem creation: 1\n',
  });
  const { text, error } = await scrape(bcachefs, { root });
  assert.ok(error instanceof ParseError);
  assert.match(text, /node_bcachefs_device_buckets\{device="1",uuid="u"\} 5\n/);
  assert.match(text, /node_bcachefs_io_read_x_total\{uuid="u"\} 1\n/);
});
