import assert from 'node:assert/strict';
import { mkdirSync, statfsSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import filesystem, { deviceNumberOf, stripRootfs } from '../../src/collectors/filesystem.ts';
import { UsageError } from '../../src/core/errors.ts';
import type { AskedMount } from '../../src/core/system.ts';
import { refusingDisk } from '../helpers/disk.ts';
import { golden, prepared, scrape, tree } from '../helpers/scrape.ts';

/** Only mounts that no machine has, so that the answers are the same on all. */
const ELSEWHERE = '--collector.filesystem.mount-points-include=^/keyhole/';

test('filesystem: the fixtures scrape to the golden text', (t) => golden(t, filesystem, { argv: [ELSEWHERE] }));

const mountinfo = (...mounts: readonly string[]): Record<string, string> => ({
  'proc/1/mountinfo': mounts.map((mount, i) => `${i + 2} 1 ${placeOf(mount, `8:${i}`)} / ${mount}\n`).join(''),
});

/** Major and minor number of what is really at the mount point of a line, if anything is. */
function placeOf(mount: string, instead: string): string {
  const dev = statSync(mount.split(' ')[0] as string, { throwIfNoEntry: false })?.dev;
  return dev === undefined ? instead : numbersOf(dev).join(':');
}

const numbersOf = (dev: number): [major: number, minor: number] => [
  Math.floor(dev / 2 ** 8) % 0x1000,
  (dev % 0x100) + (Math.floor(dev / 2 ** 20) % 0x1000000) * 0x100,
];
const series = (text: string, name: string): string[] =>
  text.split('\n').filter((line) => line.startsWith(`node_filesystem_${name}{`));

test('filesystem tells what statfs tells', async (t) => {
  const at = tmpdir();
  const before = statfsSync(at);
  const [major, minor] = numbersOf(statSync(at).dev);
  const { text, success } = await scrape(filesystem, { root: tree(t, mountinfo(`${at} rw - ext4 /dev/sda1 rw`)) });
  assert.ok(success);
  const labels = `{device="/dev/sda1",device_error="",fstype="ext4",mountpoint="${at}"}`;
  const value = (name: string): number => Number(series(text, name)[0]?.split('} ')[1]);
  assert.ok(text.includes(`node_filesystem_device_error${labels} 0\n`));
  assert.ok(text.includes(`node_filesystem_readonly${labels} 0\n`));
  assert.ok(text.includes(`node_filesystem_purgeable_bytes${labels} 0\n`));
  assert.ok(
    text.includes(
      `node_filesystem_mount_info{device="/dev/sda1",major="${major}",minor="${minor}",mountpoint="${at}"} 1\n`,
    ),
  );
  assert.equal(value('size_bytes'), before.blocks * before.bsize);
  assert.equal(value('files'), before.files);
  assert.ok(value('avail_bytes') <= value('free_bytes') && value('free_bytes') <= value('size_bytes'));
  assert.ok(value('files_free') <= value('files'));
});

for (const [major, minor, expected] of [
  [8, 1, 0x801],
  [0, 0x12345, 0x12300045],
  [0x1234, 0xff, 0x1000000234ff],
] as const)
  test(`deviceNumberOf(${major}, ${minor})`, () => assert.equal(deviceNumberOf(major, minor), expected));

const [EXT4, BTRFS] = [0xef53, 0x9123683e];
const sizeOf = (deviceNumber: number, magic: number) => ({
  ...{ blockBytes: 1, blocks: 3, blocksFree: 2, blocksAvailable: 1, files: 3, filesFree: 2 },
  deviceNumber,
  magic,
});

for (const [why, fsType, seen, isShown, magic = EXT4] of [
  ['is at its path', 'ext4', 0x802, true],
  ['is not propagated: what it would stand on answers', 'ext4', 0x801, false],
  ['is a subvolume with a number of its own', 'btrfs', 0x31, true, BTRFS],
  ['is not propagated: another kind answers', 'btrfs', 0x801, false],
] as const)
  for (const type of ['quick', 'slow'])
    test(`filesystem: a mount that ${why} (${fsType}, ${type})`, async (t) => {
      const root = tree(t, {
        'proc/1/mountinfo': `1 0 8:1 / / rw - ${type === 'quick' ? 'ext4' : 'fuse'} a rw\n2 1 8:2 / /boot rw - ${fsType} b rw\n`,
      });
      const statfs = (path: string) => (path === '/' ? sizeOf(0x801, EXT4) : sizeOf(seen, magic));
      const createStatfsAsker = () => ({
        ask: async (mounts: readonly AskedMount[]) => new Map(mounts.map(({ path }) => [path, statfs(path)])),
      });
      const { text, success } = await scrape(filesystem, { root, system: { statfs, createStatfsAsker } });
      assert.equal(success, true);
      assert.equal(series(text, 'size_bytes').length, isShown ? 2 : 1);
      const error = isShown ? '",device_error=""' : '",device_error="another file system is at this path"';
      assert.ok(
        text.includes(
          `node_filesystem_device_error{device="b${error},fstype="${fsType}",mountpoint="/boot"} ${isShown ? 0 : 1}\n`,
        ),
      );
      assert.equal(text.includes('mountpoint="/boot"} 3\n'), isShown);
    });

test('filesystem asks a mount whose name is not UTF-8 by its bytes', async (t) => {
  const root = tree(t, mountinfo());
  const at = Buffer.concat([Buffer.from(`${root}/`), Buffer.from([0xff, 0xfe]), Buffer.from('é')]);
  mkdirSync(at);
  const line = Buffer.concat([Buffer.from(`2 1 ${placeOf(root, '')} / `), at, Buffer.from(' rw - ext4 a rw\n')]);
  writeFileSync(join(root, 'proc/1/mountinfo'), line);
  const { text } = await scrape(filesystem, { root });
  assert.match(
    text,
    /node_filesystem_size_bytes\{device="a",device_error="",fstype="ext4",mountpoint="<root>\/\ufffdé"\} /,
  );
});

for (const [why, argv, expected] of [
  ['by default', [], ['/a', '/b', '/run']],
  ['with mount points left out', ['--collector.filesystem.mount-points-exclude=^/a$'], ['/b', '/dev/shm', '/run']],
  ['with none left out', ['--collector.filesystem.mount-points-exclude='], ['/a', '/b', '/dev/shm', '/run']],
  ['with mount points to take', ['--collector.filesystem.mount-points-include=^/(dev|a)'], ['/a', '/dev/shm']],
  ['with the old flag', ['--collector.filesystem.ignored-mount-points=^/(a|b)$'], ['/dev/shm', '/run']],
  ['with types left out', ['--collector.filesystem.fs-types-exclude=^tmpfs$'], ['/a', '/b', '/o']],
  ['with types to take', ['--collector.filesystem.fs-types-include=^(tmpfs|overlay)$'], ['/o', '/run']],
  ['with the old flag of types', ['--collector.filesystem.ignored-fs-types=^ext4$'], ['/o', '/run']],
] as const)
  test(`filesystem takes mounts ${why}`, async (t) => {
    const root = tree(
      t,
      mountinfo(
        '/a rw - ext4 a rw',
        '/b rw - ext4 b rw',
        '/dev/shm rw - tmpfs c rw',
        '/run rw - tmpfs d rw',
        '/o rw - overlay e rw',
      ),
    );
    const { text } = await scrape(filesystem, { root, argv });
    const points = series(text, 'readonly').map((line) => /mountpoint="([^"]*)"/.exec(line)?.[1]);
    assert.deepEqual(points.sort(), expected);
  });

for (const argv of [
  ['--collector.filesystem.mount-points-exclude=a', '--collector.filesystem.mount-points-include=b'],
  ['--collector.filesystem.mount-points-exclude=a', '--collector.filesystem.ignored-mount-points=b'],
  ['--collector.filesystem.fs-types-exclude=a', '--collector.filesystem.fs-types-include=b'],
  ['--collector.filesystem.fs-types-exclude=a', '--collector.filesystem.ignored-fs-types=b'],
])
  test(`filesystem refuses ${argv.join(' ')}`, () => assert.throws(() => prepared(filesystem, { argv }), UsageError));

test('filesystem reads its own mounts where process 1 is hidden', async (t) => {
  const root = tree(t, { 'proc/self/mountinfo': '2 1 8:0 / /keyhole/self rw - ext4 a rw\n' });
  const { text } = await scrape(filesystem, { root });
  assert.equal(series(text, 'device_error').length, 1);
});

for (const code of ['EACCES', 'EPERM'])
  test(`filesystem reads its own mounts where those of process 1 answer ${code}`, async (t) => {
    const files = { ...mountinfo('/one rw - ext4 a rw'), 'proc/self/mountinfo': '2 1 8:0 / /self rw - ext4 a rw\n' };
    const { text } = await scrape(filesystem, { root: tree(t, files), disk: refusingDisk(code, '/1/mountinfo') });
    assert.deepEqual(
      series(text, 'device_error').map((line) => /mountpoint="([^"]*)"/.exec(line)?.[1]),
      ['/self'],
    );
  });

test('a line of mountinfo that is cut short costs itself alone', async (t) => {
  const text = '2 1 8:1 / /keyhole/a rw - ext4 a rw\n3 1 8:2 / /keyhole/b rw\n4 1 8:3 / /keyhole/c rw - ext4 c rw\n';
  const { text: written, error } = await scrape(filesystem, { root: tree(t, { 'proc/1/mountinfo': text }) });
  assert.match(String(error), /mountinfo: cannot parse "3 1 8:2/);
  const devices = series(written, 'readonly').map((line) => /device="([^"]*)"/.exec(line)?.[1]);
  assert.deepEqual(devices, ['a', 'c']);
});

test('filesystem shows the upper of two mounts at one place', async (t) => {
  const text =
    '2 1 8:1 / /keyhole/a rw - ext4 lower rw\n3 2 8:2 / /keyhole/a rw - ext4 upper ro\n1 1 0:1 / /keyhole/r rw - ext4 r rw\n';
  const scraped = await scrape(filesystem, { root: tree(t, { 'proc/1/mountinfo': text }) });
  const devices = series(scraped.text, 'readonly').map((line) => /device="([^"]*)"/.exec(line)?.[1]);
  assert.deepEqual(devices, ['r', 'upper']);
});

test('a mount under --path.rootfs is asked there, and shown as seen from there', async (t) => {
  const rootfs = tree(t, { 'data/x': '' });
  const root = tree(t, mountinfo(`${rootfs}/data rw - ext4 a rw`, '/data rw - ext4 b rw', '/gone rw - ext4 c rw'));
  const { text } = await scrape(filesystem, { root, rootfs });
  assert.deepEqual(
    series(text, 'device_error').map((line) => line.replace(/^.*device=/, '')),
    [
      '"a",device_error="",fstype="ext4",mountpoint="/data"} 0',
      '"b",device_error="another file system is at this path",fstype="ext4",mountpoint="/data"} 1',
      '"c",device_error="no such file or directory",fstype="ext4",mountpoint="/gone"} 1',
    ],
  );
});

test('a mount point is shown as seen under the root', () => {
  for (const [mountPoint, rootfs, expected] of [
    ['/host', '/host', '/'],
    ['/host/home', '/host', '/home'],
    ['/hostdata', '/host', '/hostdata'],
    ['/etc/hosts', '/host', '/etc/hosts'],
    ['/home', '/', '/home'],
    ['/', '/', '/'],
  ] as const)
    assert.equal(stripRootfs(mountPoint, rootfs), expected);
});

test('a tree without mountinfo is a fault, not absence', async (t) => {
  const { error } = await scrape(filesystem, { root: tree(t, { 'proc/stat': '' }) });
  assert.match(String(error), /ENOENT.*self\/mountinfo/);
});
