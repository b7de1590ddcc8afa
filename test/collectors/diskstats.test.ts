import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import diskstats, { parseUdevData } from '../../src/collectors/diskstats.ts';
import { UsageError } from '../../src/core/errors.ts';
import { formatFloat } from '../../src/core/format.ts';
import { samplesIn, testFile } from '../helpers/odd.ts';
import { bytesTree, golden, prepared, scrape, tree } from '../helpers/scrape.ts';

test('diskstats: the fixtures scrape to the golden text', (t) => golden(t, diskstats));

const numbers = (count: number): number[] => Array.from({ length: count }, (_, i) => i + 1);

const FAMILIES = [
  ['reads_completed_total', 1],
  ['reads_merged_total', 1],
  ['read_bytes_total', 512],
  ['read_time_seconds_total', 0.001],
  ['writes_completed_total', 1],
  ['writes_merged_total', 1],
  ['written_bytes_total', 512],
  ['write_time_seconds_total', 0.001],
  ['io_now', 1],
  ['io_time_seconds_total', 0.001],
  ['io_time_weighted_seconds_total', 0.001],
  ['discards_completed_total', 1],
  ['discards_merged_total', 1],
  ['discarded_sectors_total', 1],
  ['discard_time_seconds_total', 0.001],
  ['flush_requests_total', 1],
  ['flush_requests_time_seconds_total', 0.001],
] as const;
/** What is written of a disk that nothing is known of but these numbers. */
const samplesOf = (device: string, values: readonly number[], minor = '0'): string[] =>
  [
    `node_disk_info{device="${device}",major="8",minor="${minor}",model="",path="",revision="",rotational="0",serial="",wwn=""} 1`,
    ...values.slice(0, FAMILIES.length).map((value, i) => {
      const [name, scale] = FAMILIES[i] as (typeof FAMILIES)[number];
      return `node_disk_${name}{device="${device}"} ${formatFloat(value * scale)}`;
    }),
  ].sort();

const SDB = `8 0 sdb ${numbers(11).join(' ')}\n`;
const sdb = samplesOf('sdb', numbers(11));

testFile(diskstats, 'proc/diskstats', [
  ...[11, 15, 17, 18].map(
    (count) =>
      [`${count} numbers`, `   8       0 sda ${numbers(count).join(' ')}\n`, samplesOf('sda', numbers(count))] as const,
  ),
  ['no disks', '', []],
  ['what has too few numbers', `   8       1 sda1 1 2 3 4\n\n${SDB}`, sdb],
  ...(
    [
      ['a value that is no number', '8 0 sda 1 2 3 4 5 6 7 8 9 10 x'],
      ['a negative value', '8 0 sda 1 2 3 4 5 6 7 8 9 10 -1'],
      ['a device that is no number', 'x 0 sda 1 2 3 4 5 6 7 8 9 10 11'],
    ] as const
  ).map(([why, line]) => [why, `${line}\n${SDB}`, sdb, line] as const),
]);

test('diskstats reads what the kernel would print', (t) => {
  const value = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n });
  return fc.assert(
    fc.asyncProperty(fc.array(value, { minLength: 11, maxLength: 17 }), fc.nat(), async (values, minor) => {
      const line = `   8 ${String(minor).padStart(7)} sda ${values.join(' ')}\n`;
      const { text, error } = await scrape(diskstats, { root: tree(t, { 'proc/diskstats': line }) });
      assert.equal(error, undefined);
      assert.deepEqual(samplesIn(text).sort(), samplesOf('sda', values.map(Number), String(minor)));
    }),
    { numRuns: 30 },
  );
});

test('parseUdevData reads properties, and nothing else', () => {
  assert.deepEqual(
    [...parseUdevData('S:disk/by-id/x\nE:A=1\nE:B=a=b\nE:C=\nE:=x\nE:D\nG:systemd\n')],
    [
      ['A', '1'],
      ['B', 'a=b'],
      ['C', ''],
    ],
  );
});

for (const [why, argv, expected] of [
  ['to take', ['--collector.diskstats.device-include=^sda'], ['sda', 'sda1']],
  ['to leave out', ['--collector.diskstats.device-exclude=^(nvme|sd|dm|md|sr)'], ['loop0']],
  ['to leave out, by the old flag', ['--collector.diskstats.ignored-devices=^(nvme|sd|dm|loop|sr)'], ['md0']],
  [
    'of all kinds',
    ['--collector.diskstats.device-exclude=', '--collector.diskstats.device-include=^(loop|md)'],
    ['loop0', 'md0'],
  ],
] as const)
  test(`diskstats has devices ${why}`, async () => {
    const { text } = await scrape(diskstats, { argv });
    const devices = [...text.matchAll(/node_disk_io_now\{device="([^"]*)"\}/g)].map(([, device]) => device);
    assert.deepEqual(devices, expected);
  });

for (const argv of [
  ['--collector.diskstats.device-exclude=a', '--collector.diskstats.device-include=b'],
  ['--collector.diskstats.device-exclude=a', '--collector.diskstats.ignored-devices=b'],
])
  test(`diskstats refuses ${argv.join(' ')}`, () => assert.throws(() => prepared(diskstats, { argv }), UsageError));

test('without udev and sysfs the labels are empty', async (t) => {
  const root = tree(t, { 'proc/diskstats': `8 0 sda ${numbers(11).join(' ')}\n` });
  const { text, success } = await scrape(diskstats, { root });
  assert.ok(success);
  assert.match(
    text,
    /node_disk_info\{device="sda",major="8",minor="0",model="",path="",revision="",rotational="0",serial="",wwn=""\} 1\n/,
  );
  assert.doesNotMatch(text, /node_disk_(filesystem_info|device_mapper_info|ata|discard|flush)/);
});

test('a slash in a device’s name is an exclamation mark in sysfs', async (t) => {
  const root = tree(t, {
    'proc/diskstats': `104 0 cciss/c0d0 ${numbers(11).join(' ')}\n`,
    'sys/block/cciss!c0d0/queue/rotational': '1\n',
  });
  assert.match((await scrape(diskstats, { root })).text, /device="cciss\/c0d0",.*rotational="1"/);
});

test('an ATA property that is no number is left out, the others are told', async (t) => {
  const root = tree(t, {
    'proc/diskstats': `8 0 sda ${numbers(11).join(' ')}\n`,
    'run/udev/data/b8:0': 'E:ID_ATA=1\nE:ID_ATA_WRITE_CACHE=yes\nE:ID_ATA_ROTATION_RATE_RPM=5400\n',
  });
  const { text, success } = await scrape(diskstats, { root });
  assert.ok(success);
  assert.match(text, /node_disk_ata_rotation_rate_rpm\{device="sda"\} 5400\n/);
  assert.doesNotMatch(text, /node_disk_ata_write_cache/);
});

test('a disk may be called anything; which of two that look the same is meant is not guessed', async (t) => {
  const line = (minor: number, name: string): string => `8 ${minor} ${name} ${numbers(11).join(' ')}\n`;
  const root = bytesTree(t, {
    'proc/diskstats': ['sd\xe9', 'sd\xc3\xa9', 'x\xfe', 'x\xff'].map((name, i) => line(i, name)).join(''),
    'sys/block/sd\xe9/queue/rotational': '1\n',
    'sys/block/sd\xc3\xa9/queue/rotational': '1\n',
    'sys/block/x\xfe/queue/rotational': '1\n',
    'sys/block/x\xff/queue/rotational': '0\n',
  });
  const { text } = await scrape(diskstats, { root });
  for (const [device, rotational] of [
    ['sd\ufffd', 1],
    ['sdé', 1],
    ['x\ufffd', 0],
  ])
    assert.match(text, new RegExp(`device="${device}",.*rotational="${rotational}"`));
});
