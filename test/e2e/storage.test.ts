// Real file systems and block devices, as this kernel has them, beside Debian's node_exporter.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statfsSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import process from 'node:process';
import { after, before, describe, test } from 'node:test';
import { lacksPackages, loudly, notRoot } from '../helpers/debian.ts';
import { type Exporter, KEYHOLE, startExporter } from '../helpers/exporter.ts';
import { parseExposition, type ScrapedFamily } from '../helpers/exposition.ts';

const ARGS = [
  '--collector.disable-defaults',
  '--collector.filesystem',
  '--collector.diskstats',
  '--collector.diskstats.device-exclude=^$',
  '--collector.xfs',
  '--collector.btrfs',
  '--collector.mdadm',
];
const PACKAGES = ['prometheus-node-exporter', 'xfsprogs', 'btrfs-progs', 'e2fsprogs', 'mdadm', 'dmsetup', 'util-linux'];
const MIB = 2 ** 20;

const run = (command: string, ...args: string[]): string =>
  execFileSync(command, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] }).trim();
const works = (command: string, ...args: string[]): boolean => {
  try {
    run(command, ...args);
    return true;
  } catch {
    return false;
  }
};

function lacks(): string | false {
  if (notRoot() !== false) return 'storage: needs root';
  if (!existsSync('/dev/loop-control')) return 'storage: the kernel has no loop devices';
  return lacksPackages(...PACKAGES);
}
const skip = loudly(lacks());
const kernelHas = (type: string): boolean =>
  new RegExp(`\\t${type}$`, 'm').test(readFileSync('/proc/filesystems', 'utf8'));
const lacksFileSystem = (type: string): string | false =>
  skip !== false || kernelHas(type) ? skip : loudly(`storage: this kernel has no ${type}`);
const lacksMd = skip !== false || existsSync('/proc/mdstat') ? skip : loudly('storage: this kernel has no md');
const lacksDm =
  skip !== false || works('dmsetup', 'version') ? skip : loudly('storage: this kernel has no device mapper');

/** What is undone in the end, last first. */
const undo: (() => void)[] = [];
/** Answers what it could not undo. */
function undoAll(): unknown[] {
  return undo
    .splice(0)
    .reverse()
    .flatMap((step) => {
      try {
        step();
        return [];
      } catch (error) {
        return [error];
      }
    });
}
process.once('exit', undoAll);

/** A loop device over a sparse file of this size; answers its path. */
function loopDevice(root: string, name: string, sizeMib: number): string {
  const image = join(root, `${name}.img`);
  run('truncate', '-s', `${sizeMib}M`, image);
  const device = run('losetup', '--find', '--show', image);
  undo.push(() => run('losetup', '--detach', device));
  return device;
}

function mount(root: string, device: string, name: string, options: string): string {
  const at = join(root, name);
  mkdirSync(at);
  run('mount', '-o', options, device, at);
  undo.push(() => run('umount', at));
  if (!options.includes('ro')) {
    writeFileSync(join(at, 'data'), Buffer.alloc(3 * MIB, 7));
    run('sync', '-f', at);
  }
  return at;
}

type Families = ReadonlyMap<string, ScrapedFamily>;

/** The series of a family with this text in its labels, without the labels that Debian's version does not have. */
function series(families: Families, name: string, needle: string): Record<string, number> {
  const found = [...(families.get(name)?.samples ?? [])].filter(([labels]) => labels.includes(needle));
  return Object.fromEntries(found.map(([labels, value]) => [labels.replace('device_error="",', ''), value]));
}

describe('storage, beside prometheus-node-exporter', { skip }, () => {
  const root = skip === false ? mkdtempSync(join(tmpdir(), 'keyhole-storage-')) : '';
  const exporters: Exporter[] = [];
  const devices = new Map<string, string>();
  let own: Families = new Map();
  let reference: Families = new Map();

  before(async () => {
    undo.push(() => rmSync(root, { recursive: true, force: true }));
    const make = (name: string, sizeMib: number): string => {
      const device = loopDevice(root, name, sizeMib);
      devices.set(name, device);
      return device;
    };
    run('mkfs.ext4', '-q', make('ext4', 64));
    mount(root, devices.get('ext4') as string, 'my disk', 'ro');
    if (kernelHas('xfs')) {
      run('mkfs.xfs', '-q', make('xfs', 320));
      mount(root, devices.get('xfs') as string, 'xfs', 'rw');
    }
    if (kernelHas('btrfs')) {
      const pair = [make('btrfs1', 256), make('btrfs2', 256)] as const;
      run('mkfs.btrfs', '-q', '-L', 'keyhole', '-d', 'raid1', '-m', 'raid1', ...pair);
      run('btrfs', 'device', 'scan', ...pair);
      mount(root, pair[0], 'btrfs', 'rw');
    }
    if (lacksMd === false) {
      const pair = [make('md1', 32), make('md2', 32)] as const;
      run('mdadm', '--create', '/dev/md79', '--run', '--level=1', '--raid-devices=2', ...pair);
      undo.push(() => run('mdadm', '--stop', '/dev/md79'));
      run('mdadm', '--wait', '/dev/md79');
    }
    if (lacksDm === false) {
      run('dmsetup', 'create', 'keyhole-e2e', '--table', `0 2048 linear ${make('dm', 32)} 0`);
      undo.push(() => run('dmsetup', 'remove', 'keyhole-e2e'));
    }
    exporters.push(
      await startExporter(KEYHOLE, ARGS),
      await startExporter(['/usr/bin/prometheus-node-exporter'], ARGS),
    );
    const [keyhole, debian] = exporters as [Exporter, Exporter];
    own = parseExposition(await keyhole.scrape());
    reference = parseExposition(await debian.scrape());
  });
  after(async () => {
    for (const exporter of exporters) await exporter.stop();
    assert.deepEqual(undoAll(), [], 'what could not be undone');
  });

  /** Holds that both have the same families beginning so, with the same series that hold `needle`. */
  function assertSame(prefix: string, needle: string, except: RegExp = /^$/): void {
    const names = [...reference.keys()].filter((name) => name.startsWith(prefix) && !except.test(name));
    let compared = 0;
    for (const name of names) {
      const expected = series(reference, name, needle);
      compared += Object.keys(expected).length;
      assert.deepEqual(series(own, name, needle), expected, name);
      if (Object.keys(expected).length > 0) assert.equal(own.get(name)?.type, reference.get(name)?.type, name);
    }
    assert.ok(compared > 0, `the reference has nothing of ${prefix} with ${needle}`);
  }

  const deviceOf = (name: string): string => `device="${basename(devices.get(name) as string)}"`;
  const told = (name: string, needle: string): number | undefined => Object.values(series(own, name, needle))[0];

  test('file systems are told as the reference tells them', () => {
    assertSame('node_filesystem_', root, /_(mount_info|purgeable_bytes)$/);
  });

  test('a file system has the size that the kernel tells; a blank in its name is one', () => {
    const at = join(root, 'my disk');
    const { blocks, bsize, files } = statfsSync(at);
    assert.equal(told('node_filesystem_size_bytes', `mountpoint="${at}"`), blocks * bsize);
    assert.equal(told('node_filesystem_files', `mountpoint="${at}"`), files);
    assert.equal(told('node_filesystem_readonly', `mountpoint="${at}"`), 1);
    assert.equal(told('node_filesystem_mount_info', `mountpoint="${at}"`), 1);
  });

  test('disks are told as the reference tells them', () => {
    for (const name of devices.keys()) assertSame('node_disk_', deviceOf(name), /_info$/);
    assert.ok((told('node_disk_written_bytes_total', deviceOf('ext4')) as number) > 0);
  });

  test('XFS is told as the reference tells it', { skip: lacksFileSystem('xfs') }, () => {
    assertSame('node_xfs_', deviceOf('xfs'));
    assert.ok((told('node_xfs_write_calls_total', deviceOf('xfs')) as number) > 0);
  });

  test('Btrfs is told as the reference tells it', { skip: lacksFileSystem('btrfs') }, () => {
    const uuid = run('blkid', '-s', 'UUID', '-o', 'value', devices.get('btrfs1') as string);
    assertSame('node_btrfs_', `uuid="${uuid}"`);
    assert.equal(told('node_btrfs_info', 'label="keyhole"'), 1);
    assert.equal(told('node_btrfs_allocation_ratio', 'mode="raid1"'), 2);
    for (const name of ['btrfs1', 'btrfs2']) {
      assert.equal(told('node_btrfs_device_size_bytes', deviceOf(name)), 256 * MIB);
      const unused = told('node_btrfs_device_unused_bytes', deviceOf(name)) as number;
      assert.ok(unused > 0 && unused < 256 * MIB, `${unused} unused`);
      for (const type of ['write', 'read', 'flush', 'corruption', 'generation'])
        assert.equal(told('node_btrfs_device_errors_total', `${deviceOf(name)},type="${type}"`), 0);
    }
    assert.ok((told('node_btrfs_commits_total', uuid) as number) > 0);
  });

  test('RAID is told as the reference tells it', { skip: lacksMd }, () => {
    assertSame('node_md_', 'device="md79"');
    assert.equal(told('node_md_raid_disks', 'device="md79"'), 2);
    assert.equal(told('node_md_degraded', 'device="md79"'), 0);
  });

  test('a device of the device mapper is told as the reference tells it', { skip: lacksDm }, () => {
    const path = run('readlink', '-f', '/dev/mapper/keyhole-e2e');
    assertSame('node_disk_', `device="${basename(path)}"`, /_info$/);
  });

  test('every collector succeeded where the kernel has its kind', () => {
    const success = own.get('node_scrape_collector_success')?.samples;
    for (const name of ['filesystem', 'diskstats', 'xfs', 'btrfs'])
      assert.equal(success?.get(`{collector="${name}"}`), 1, name);
    assert.equal(success?.get('{collector="mdadm"}'), lacksMd === false ? 1 : 0);
  });
});
