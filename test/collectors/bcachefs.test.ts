import assert from 'node:assert/strict';
import { mkdirSync } from 'node:fs';
import { test } from 'node:test';
import bcachefs, { takeSize } from '../../src/collectors/bcachefs.ts';
import { NoDataError, ParseError } from '../../src/core/errors.ts';
import { type OddCase, testFile } from '../helpers/odd.ts';
import { golden, scrape, tree } from '../helpers/scrape.ts';

test('bcachefs: the fixtures scrape to the golden text', (t) => golden(t, bcachefs));

const into = new Float64Array(1);

/** The number that a text is; `undefined` where it is none. */
const taken = (text: string): number | undefined =>
  takeSize(Buffer.from(text), 0, text.length, into, 0) === text.length ? into[0] : undefined;

for (const [text, value] of [
  ['0', 0],
  ['512k', 524288],
  ['1.5K', 1536],
  ['19.3GiB', 20723217203],
  ['1.k', undefined],
  ['1ki', undefined],
  ['67.0G', 71940702208],
  ['512B', 512],
  ['1E', 2 ** 60],
  ['', undefined],
  ['k', undefined],
  ['1x', undefined],
  ['-1', undefined],
] as const)
  test(`takeSize takes '${text}' for ${value}`, () => assert.equal(taken(text), value));

const AT = 'sys/fs/bcachefs/u';
const INFO = 'node_bcachefs_info{uuid="u"} 1';
/** The samples of a file system, and of its device where there is one, without those that say no more than that it is there. */
const besides = (cases: readonly OddCase[], device?: string): OddCase[] =>
  cases.map(([why, text, samples, ...odd]) => [why, text, [...samples, device ?? [], INFO].flat().sort(), ...odd]);
const compressed = (kind: string, algorithm: string, bytes: number): string =>
  `node_bcachefs_compression_${kind}_bytes{algorithm="${algorithm}",uuid="u"} ${bytes}`;

testFile(
  bcachefs,
  `${AT}/compression_stats`,
  besides([
    [
      'units beside numbers and apart from them',
      'type compressed uncompressed\nlz4: 1k 2k 3k\nzstd 0.5 KiB 1.0 KiB 4 KiB\nx 1\n',
      [
        compressed('compressed', 'lz4', 1024),
        compressed('compressed', 'zstd', 512),
        compressed('uncompressed', 'lz4', 2048),
        compressed('uncompressed', 'zstd', 1024),
      ],
    ],
    ['a size that is none', 'type\nlz4 x 1\n', [], 'lz4 x 1'],
    ['a unit that is none', 'type\nlz4 1 XiB 1 KiB 1 KiB\n', [], 'lz4 1 XiB 1 KiB 1 KiB'],
  ]),
);

testFile(
  bcachefs,
  `${AT}/errors`,
  besides([
    [
      'counts',
      'a 1 1700000000\nb 2\nc\n',
      [
        'node_bcachefs_errors_total{error_type="a",uuid="u"} 1',
        'node_bcachefs_errors_total{error_type="b",uuid="u"} 2',
      ],
    ],
    ['what is no number', 'a x\nb 2\n', ['node_bcachefs_errors_total{error_type="b",uuid="u"} 2'], 'a x'],
  ]),
);

const split = [
  'node_bcachefs_btree_write_average_size_bytes{type="split",uuid="u"} 2',
  'node_bcachefs_btree_writes_total{type="split",uuid="u"} 1',
];

testFile(
  bcachefs,
  `${AT}/btree_write_stats`,
  besides([
    ['counts and sizes', '  nr  size\nsplit: 1 2\n', split],
    ['a unit apart', '  nr  size\nsplit 1 2 B\n', split],
    ['a count that is none', 'nr size\na x 1\nsplit 1 2\n', split, 'a x 1'],
    ['a size that is none', 'nr size\na 1 x\nsplit 1 2\n', split, 'a 1 x'],
  ]),
);

testFile(
  bcachefs,
  `${AT}/counters/io-read.x`,
  besides([
    [
      'since the file system was created',
      'since mount:  1\nsince filesystem creation:  2.0 KiB\n',
      ['node_bcachefs_io_read_x_total{uuid="u"} 2048'],
    ],
    ['since the mount alone', 'since mount:  1\n', []],
    ['neither', 'x: 1\n', [], 'x: 1'],
    ['since something else', 'since last week: 1\n', []],
    ['what is no number', 'since filesystem creation: x\n', [], 'since filesystem creation: x'],
  ]),
);

const DEVICE = 'node_bcachefs_device_info{device="0",label="",state="",uuid="u"} 1';
const done = (operation: string, bytes: number): string =>
  `node_bcachefs_device_io_done_bytes_total{data_type="sb",device="0",operation="${operation}",uuid="u"} ${bytes}`;

testFile(
  bcachefs,
  `${AT}/dev-0/io_done`,
  besides(
    [
      ['both sections', 'read:\nsb : 1\n\nwrite:\nsb:2\n', [done('read', 1), done('write', 2)]],
      ['bytes before a section', 'sb : 1\nread:\nsb : 1\n', [done('read', 1)], 'sb : 1'],
      [
        'a heading that is new',
        'read:\nsb : 1\nerase:\nsb : 2\nwrite:\nsb : 3\n',
        [done('read', 1), done('write', 3)],
        ['erase:', 'sb : 2'],
      ],
      ['a line without a colon', 'read:\nx 1\nsb : 1\n', [done('read', 1)], 'x 1'],
      ['what is no number', 'read:\nx : x\nsb : 1\n', [done('read', 1)], 'x : x'],
    ],
    DEVICE,
  ),
);

testFile(
  bcachefs,
  `${AT}/dev-0/io_errors`,
  besides(
    [
      [
        'the section since the file system was created',
        'IO errors since 8 y ago\n read: 9\nIO errors since filesystem creation\n read:1\n',
        ['node_bcachefs_device_io_errors_total{device="0",type="read",uuid="u"} 1'],
      ],
      [
        'what is no number',
        'IO errors since filesystem creation\n write: x\n read: 1\n',
        ['node_bcachefs_device_io_errors_total{device="0",type="read",uuid="u"} 1'],
        ' write: x',
      ],
    ],
    DEVICE,
  ),
);

test('without file systems there is nothing', async (t) => {
  assert.ok((await scrape(bcachefs, { root: tree(t, {}) })).error instanceof NoDataError);
  const root = tree(t, {});
  mkdirSync(`${root}/sys/fs/bcachefs`, { recursive: true });
  assert.ok((await scrape(bcachefs, { root })).error instanceof NoDataError);
});

test('a device that cannot be read leaves the others', async (t) => {
  const root = tree(t, { [`${AT}/dev-0/nbuckets`]: 'x\n', [`${AT}/dev-1/nbuckets`]: '5\n' });
  const { text, error } = await scrape(bcachefs, { root });
  assert.ok(error instanceof ParseError);
  assert.match(text, /node_bcachefs_device_buckets\{device="1",uuid="u"\} 5\n/);
});
