import assert from 'node:assert/strict';
import { mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { errnoOf, LimitError, ParseError } from '../../src/core/errors.ts';
import { LOOK_MS } from '../../src/source/clock.ts';
import { createSource, type SourceOptions } from '../../src/source/source.ts';
import { createMemory, type Memory } from '../helpers/memory.ts';

// include/uapi/linux/magic.h
const PROC_SUPER_MAGIC = 0x9fa0;
const SYSFS_MAGIC = 0x62656572;

function opened(files: Readonly<Record<string, string>>, options: SourceOptions = {}, magic?: number) {
  const memory = createMemory(files);
  const disk: Memory = Object.assign(memory, { magic: () => magic });
  const source = createSource({ disk, ...options });
  return { disk, source, tree: source.openTree('/k'), begin: () => source.clock.begin() };
}

test('a file is read once in a scrape, whoever asks, and its descriptor is kept', () => {
  const { disk, tree, begin } = opened({ '/k/a': 'one' });
  begin();
  assert.equal(tree.file('a'), tree.file('a'), 'one handle for all');
  for (let i = 0; i < 3; i += 1) assert.equal(tree.file('a').text(), 'one');
  assert.deepEqual(disk.asked(), ['open /k/a', 'read /k/a']);
  disk.write('/k/a', 'two');
  assert.equal(tree.read('a'), 'one', 'what two readers see in one scrape is the same');
  begin();
  assert.equal(tree.read('a'), 'two');
  assert.deepEqual(disk.asked(), ['read /k/a']);
});

test('outside of scrapes a file is read whenever it is asked for', () => {
  const { disk, tree } = opened({ '/k/a': 'one' });
  assert.equal(tree.read('a'), 'one');
  disk.write('/k/a', 'two');
  assert.equal(tree.read('a'), 'two');
});

test('the version grows as soon as the content is another, and only then', () => {
  const { disk, tree, begin } = opened({ '/k/a': 'same' });
  const file = tree.file('a');
  const versions: number[] = [];
  const long = 'x'.repeat(100);
  for (const text of ['same', 'same', 'samf', 'sam', 'sam', '', '', long, `${long.slice(1)}y`, long]) {
    disk.write('/k/a', text);
    begin();
    file.read();
    assert.equal(file.bytes.toString('latin1', 0, file.length), text);
    versions.push(file.version);
  }
  const first = versions[0] as number;
  assert.deepEqual(
    versions.map((version) => version - first),
    [0, 0, 1, 2, 2, 3, 3, 4, 5, 6],
  );
});

for (const code of ['EINVAL', 'EACCES', 'ENOENT'])
  test(`a file that answers ${code} again and again has one version until it answers something else`, () => {
    let time = 0;
    const { disk, tree, begin } = opened({ '/k/a': 'one' }, { now: () => time });
    const file = tree.file('a');
    const version = (refusal?: string): number => {
      disk.refuse('/k/a', refusal);
      time += LOOK_MS;
      begin();
      assert.equal(file.tryText(), refusal === undefined ? 'one' : undefined);
      return file.version;
    };
    const first = version(code);
    assert.deepEqual(
      [version(code), version(code), version(), version(), version(code)].map((each) => each - first),
      [0, 0, 1, 1, 2],
    );
  });

test("outside of the kernel's trees a file may be removed, replaced and put back", () => {
  const root = mkdtempSync(join(tmpdir(), 'keyhole-file-'));
  try {
    const source = createSource();
    const tree = source.openTree(root);
    const file = tree.file('a');
    const put = (name: string, text: string): void => writeFileSync(join(root, name), text);
    const seen = (): string | undefined => {
      source.clock.begin();
      return file.tryText();
    };
    put('a', 'one');
    assert.equal(seen(), 'one');
    assert.equal(source.descriptors.kept, 1);
    put('a', 'two');
    assert.equal(seen(), 'two', 'written in place');
    put('b', 'three');
    renameSync(join(root, 'b'), join(root, 'a'));
    assert.equal(seen(), 'three', 'replaced');
    renameSync(join(root, 'a'), join(root, 'b'));
    assert.equal(seen(), undefined, 'moved away');
    assert.equal(source.descriptors.kept, 0);
    put('a', 'four');
    assert.equal(seen(), 'four');
    renameSync(join(root, 'b'), join(root, 'a'));
    assert.equal(seen(), 'three', 'put back');
    rmSync(root, { recursive: true });
    assert.equal(seen(), undefined);
  } finally {
    rmSync(root, { recursive: true, force: true });
  }
});

test('a file that passes is opened at every read and never held', () => {
  const { disk, tree, begin, source } = opened({ '/k/a': 'one' });
  const file = tree.passing('a');
  for (let i = 0; i < 2; i += 1) {
    begin();
    assert.equal(file.text(), 'one');
    assert.equal(disk.openCount, 0);
  }
  assert.equal(source.descriptors.kept, 0);
  disk.remove('/k/a');
  disk.write('/k/a', 'another one');
  begin();
  assert.equal(file.text(), 'another one');
});

test('what is at the path of a file that was removed is read, or nothing', () => {
  const { disk, tree, begin } = opened({ '/k/a': 'one' });
  const file = tree.file('a');
  begin();
  file.read();
  disk.remove('/k/a');
  disk.write('/k/a', 'two');
  begin();
  assert.equal(file.text(), 'two');
  disk.remove('/k/a');
  begin();
  assert.throws(() => file.read(), { code: 'ENOENT' });
  assert.throws(() => file.read(), { code: 'ENOENT' }, 'the same answer within a scrape');
  assert.deepEqual([file.tryRead(), file.tryText(), file.length], [false, undefined, 0]);
  disk.asked();
  begin();
  assert.equal(file.tryRead(), false);
  assert.deepEqual(disk.asked(), [], 'it is only looked whether it has come');
  disk.write('/k/a', 'three');
  begin();
  assert.equal(file.tryText(), 'three');
});

test('an unexpected answer is thrown, and an expected one is nothing', () => {
  const refused: string[] = [];
  const { disk, tree, begin } = opened({ '/k/a': 'one' }, { onRefused: (path) => refused.push(path) });
  const file = tree.file('a');
  for (const code of ['ELOOP', 'EPROTO', 'Unknown system error -75']) {
    disk.refuse('/k/a', code);
    begin();
    assert.throws(() => file.tryRead(), { code, message: /\/k\/a/ });
    const faults: unknown[] = [];
    const sink = { fault: (error: unknown) => void faults.push(error) };
    assert.deepEqual(
      [file.tryText(sink), file.number(sink), faults.map(errnoOf)],
      [undefined, undefined, [code, code]],
    );
  }
  for (const code of ['EISDIR', 'EAGAIN', 'EIO', 'EINVAL', 'EACCES', 'EPERM', 'EACCES']) {
    disk.refuse('/k/a', code);
    begin();
    assert.equal(file.tryRead(), false);
    assert.throws(() => file.read(), { code });
  }
  assert.deepEqual(refused, ['/k/a'], 'a refusal is reported once');
  disk.refuse('/k/a');
  begin();
  assert.equal(file.tryText(), 'one');
});

test('a number that is all of a file, and what is made of its text', () => {
  const { disk, tree, begin } = opened({ '/k/a': ' 12\n' });
  const file = tree.file('a');
  let parses = 0;
  const parsed = file.as((text) => {
    parses += 1;
    if (text === 'bad') throw new Error('bad');
    return text.trim();
  });
  for (const [text, number] of [
    [' 12\n', 12],
    [' 12\n', 12],
    ['-1.5', -1.5],
    ['', undefined],
  ] as const) {
    disk.write('/k/a', text);
    begin();
    assert.deepEqual([file.number(), parsed()], [number, text.trim()]);
  }
  assert.equal(parses, 3);
  disk.write('/k/a', 'bad');
  for (let i = 0; i < 2; i += 1) {
    begin();
    assert.throws(() => file.number(), new ParseError('/k/a', 'bad'));
    assert.throws(parsed, /bad/, 'at every scrape again');
  }
  disk.remove('/k/a');
  begin();
  assert.deepEqual([file.number(), parsed()], [undefined, undefined]);
});

test('a file of records is read to its end, one that comes whole with one read', () => {
  const { disk, tree, begin } = opened({ '/k/stat': 'cpu 1\n', '/k/vmstat': 'a 1\n' }, {}, PROC_SUPER_MAGIC);
  begin();
  assert.deepEqual([tree.read('stat'), tree.read('vmstat')], ['cpu 1\n', 'a 1\n']);
  assert.deepEqual(disk.asked(), [
    'open /k/stat',
    'read /k/stat',
    'open /k/vmstat',
    'read /k/vmstat',
    'read /k/vmstat',
  ]);
});

test('a record file that the kernel gives in pieces comes whole', () => {
  const { disk, tree, begin } = opened({ '/k/slabinfo': 'abcdefghij' }, {}, PROC_SUPER_MAGIC);
  const { read } = disk;
  disk.read = (fd, into, at, room, position) => read(fd, into, at, Math.min(room, 3), position);
  begin();
  assert.equal(tree.read('slabinfo'), 'abcdefghij');
});

test('a file without an end is cut off with an error, not with the process', () => {
  const { disk, tree, begin } = opened({ '/k/endless': 'x' });
  disk.read = (_fd, into, at, room) => {
    into.fill(0x78, at, at + room);
    return room;
  };
  begin();
  assert.throws(() => tree.file('endless').read(), LimitError);
});

test('where the kernel reports devices, folders and what is absent are looked at when some came or went, or in a minute', () => {
  let time = 0;
  let events = 0;
  const options = { now: () => time, events: () => events };
  const { disk, tree, begin } = opened({ '/k/net/eth0': '' }, options, SYSFS_MAGIC);
  const folder = tree.folder('net');
  const absent = tree.file('late');
  const seen = (): [readonly string[], string | undefined] => {
    begin();
    return [folder.names(), absent.tryText()];
  };
  const first = seen();
  assert.deepEqual(first, [['eth0'], undefined]);
  disk.write('/k/net/eth1', '');
  disk.write('/k/late', 'here');
  disk.asked();
  assert.deepEqual(seen(), [['eth0'], undefined]);
  assert.deepEqual(disk.asked(), []);
  events += 1;
  assert.deepEqual(seen(), [['eth0', 'eth1'], 'here']);
  disk.remove('/k/net/eth0');
  assert.deepEqual(seen()[0], ['eth0', 'eth1']);
  time += LOOK_MS;
  assert.deepEqual(seen()[0], ['eth1']);
});

test('without reports every folder is listed at every scrape, once, and the same names are the same array', () => {
  const { disk, tree, begin } = opened({ '/k/net/eth10': '', '/k/net/eth2': '' }, {}, SYSFS_MAGIC);
  const folder = tree.folder('net');
  begin();
  const names = folder.names();
  assert.deepEqual(names, ['eth10', 'eth2']);
  assert.equal(tree.folder('net').names(), names);
  assert.deepEqual(disk.asked(), ['list /k/net']);
  begin();
  assert.equal(folder.names(), names);
  disk.remove('/k/net');
  begin();
  for (let i = 0; i < 2; i += 1) assert.throws(() => folder.names(), { code: 'ENOENT' });
  disk.write('/k/net/eth2', '');
  begin();
  assert.deepEqual(folder.names(), ['eth2']);
});

for (const [what, magic, isTold, isSettled] of [
  ['any files', undefined, false, true],
  ['procfs', PROC_SUPER_MAGIC, false, true],
  ['sysfs whose devices are reported', SYSFS_MAGIC, true, true],
  ['sysfs whose devices are not', SYSFS_MAGIC, false, false],
] as const)
  test(`a settled file of ${what} is read again ${isSettled ? 'at a look' : 'at every scrape'}`, () => {
    let time = 0;
    let events = 0;
    const told = isTold ? { events: () => events } : {};
    const { disk, tree, begin } = opened({ '/k/a': 'one' }, { now: () => time, ...told }, magic);
    const file = tree.settled('a');
    const absent = tree.settled('late');
    const seen = (): unknown[] => {
      begin();
      return [file.tryText(), file.tryText(), absent.tryText()];
    };
    assert.deepEqual(seen(), ['one', 'one', undefined]);
    assert.equal(disk.openCount, 0, 'it may be replaced');
    disk.write('/k/a', 'two');
    disk.write('/k/late', 'here');
    disk.asked();
    assert.deepEqual(seen(), isSettled ? ['one', 'one', undefined] : ['two', 'two', 'here']);
    assert.equal(disk.asked().length === 0, isSettled);
    time += LOOK_MS;
    assert.deepEqual(seen(), ['two', 'two', 'here']);
    disk.remove('/k/a');
    events += 1;
    assert.deepEqual(seen(), isTold || !isSettled ? [undefined, undefined, 'here'] : ['two', 'two', 'here']);
  });

test('a file of procfs that is absent is looked for when something was reported, or a minute later', () => {
  let time = 0;
  let events = 0;
  const options = { now: () => time, events: () => events };
  const { disk, tree, begin } = opened({ '/k/stat': '' }, options, PROC_SUPER_MAGIC);
  const files = ['mdstat', 'drbd'].map((name) => tree.file(name));
  const seen = (): unknown[] => {
    begin();
    return files.map((file) => file.tryText());
  };
  assert.deepEqual(seen(), [undefined, undefined]);
  disk.write('/k/mdstat', 'md');
  disk.asked();
  assert.deepEqual(seen(), [undefined, undefined]);
  assert.deepEqual(disk.asked(), []);
  events += 1;
  assert.deepEqual(seen(), ['md', undefined]);
  disk.write('/k/drbd', 'drbd');
  time += LOOK_MS;
  assert.deepEqual(seen(), ['md', 'drbd']);
});

test('an absent file that two collectors read is looked for by whoever comes first in a minute', () => {
  let time = 30_000;
  let looks = 0;
  const { disk, tree, source, begin } = opened({}, { now: () => time, events: () => 0 }, PROC_SUPER_MAGIC);
  disk.isThere = () => {
    looks += 1;
    return false;
  };
  const file = tree.file('mdstat');
  const looksBy = (part: number): number => {
    begin();
    source.clock.turnTo(part);
    looks = 0;
    assert.equal(file.tryText(), undefined);
    return looks;
  };
  looksBy(1);
  time += 10_000;
  assert.equal(looksBy(1), 0);
  assert.equal(looksBy(35), 1, 'its own second has come');
  assert.equal(looksBy(1), 0);
  assert.equal(looksBy(35), 0, 'the other one has not made it forget');
  time += LOOK_MS / 2;
  assert.equal(looksBy(1), 1);
});

for (const [name, sizeBytes, reads] of [
  ['diskstats', 3071, 1],
  ['diskstats', 3073, 2],
  ['net/udp6', 128, 1],
  ['stat', 9000, 1],
  ['1/mountinfo', 128, 2],
] as const)
  test(`${sizeBytes} bytes of ${name} of procfs take ${reads} reads`, () => {
    const text = 'x'.repeat(sizeBytes);
    const { disk, tree, begin } = opened({ [`/k/${name}`]: text }, {}, PROC_SUPER_MAGIC);
    begin();
    assert.equal(tree.file(name).text(), text);
    assert.deepEqual(
      disk.asked().filter((each) => each.startsWith('read ')),
      Array.from({ length: reads }, () => `read /k/${name}`),
    );
  });
