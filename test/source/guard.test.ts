import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DeadlineError } from '../../src/core/errors.ts';
import { NotYet } from '../../src/core/not_yet.ts';
import { parseMountinfo } from '../../src/parse/mountinfo.ts';
import type { Disk } from '../../src/source/disk.ts';
import { awayMounts } from '../../src/source/guard.ts';
import { createSource, type SourceOptions } from '../../src/source/source.ts';
import { createMemory } from '../helpers/memory.ts';

const SYSFS = 0x62656572;
const line = (id: number, parent: number, device: string, at: string, fsType: string): string =>
  `${id} ${parent} ${device} / ${at} rw - ${fsType} none rw\n`;
const ROOT = line(1, 0, '8:1', '/', 'ext4');
const PROC = line(2, 1, '0:5', '/proc', 'proc');

for (const [what, text, expected] of [
  ['local file systems', ROOT + PROC + line(3, 1, '0:6', '/run', 'tmpfs'), []],
  ['what stands behind a process', line(3, 1, '0:9', '/a\\040b', 'fuse.sshfs'), ['/a b']],
  ['a file of lxcfs', ROOT + PROC + line(3, 2, '0:9', '/proc/meminfo', 'fuse.lxcfs'), ['/proc/meminfo']],
  ['what was put into procfs', ROOT + PROC + line(3, 2, '8:1', '/proc/stat', 'ext4'), ['/proc/stat']],
  ['what is covered', line(3, 1, '0:9', '/n', 'autofs') + line(4, 3, '8:2', '/n', 'ext4'), []],
  ['a root on a server', line(1, 0, '0:9', '/', 'nfs4') + PROC, []],
] as const)
  test(`away is not more than it must be: ${what}`, () =>
    assert.deepEqual(
      awayMounts(parseMountinfo(text)).map(({ mountPoint }) => mountPoint),
      expected,
    ));

/** Files of which those on FUSE answer only when they are told to. */
function served({ magic = () => undefined, ...options }: SourceOptions & Partial<Pick<Disk, 'magic'>> = {}) {
  const memory = createMemory({ '/k/quick': '1', '/k/f/a': 'one', '/k/f/b': 'two', '/k/g/c': 'three' });
  const answers = new Map<string, () => void>();
  const hang = (path: string): Promise<void> => new Promise((resolve) => answers.set(path, resolve));
  const { away } = memory;
  const disk: Disk = Object.assign(memory, {
    magic,
    mounts: () => line(3, 1, '0:8', '/k/f', 'fuse.x') + line(4, 1, '0:9', '/k/g', 'fuse.x'),
    away: {
      ...away,
      async readWhole(path: string, isGivenUp: () => boolean) {
        await hang(path);
        return away.readWhole(path, isGivenUp);
      },
    },
  });
  const source = createSource({ disk, ...options });
  return { memory, source, tree: source.openTree('/k'), answers, begin: () => source.clock.begin() };
}

const notYet = (read: () => unknown): NotYet => {
  try {
    read();
  } catch (error) {
    if (error instanceof NotYet) return error;
    throw error;
  }
  throw new Error('there was an answer');
};

test('what may hang is asked off the thread, and answers whoever asks again', async () => {
  const { tree, answers, begin, memory } = served();
  begin();
  assert.equal(tree.read('quick'), '1');
  const file = tree.file('f/a');
  const { answered } = notYet(() => file.text());
  assert.ok(!memory.asked().includes('open /k/f/a'));
  answers.get('/k/f/a')?.();
  await answered;
  assert.equal(file.text(), 'one');
  assert.equal(tree.readOnce('f/a'), 'one');
});

test('what hangs as one has one thread, and is left alone until it answers', async () => {
  const { tree, answers, begin } = served({ hangingReads: 2 });
  begin();
  const first = notYet(() => tree.read('f/a'));
  assert.equal(notYet(() => tree.read('f/b')).answered, first.answered, 'the same call is waited for');
  assert.deepEqual([...answers.keys()], ['/k/f/a']);
  first.giveUp();
  for (const path of ['f/a', 'f/b']) assert.throws(() => tree.read(path), DeadlineError);
  notYet(() => tree.read('g/c'));
  begin();
  assert.throws(() => tree.file('f/a').tryText(), DeadlineError);
  assert.deepEqual([...answers.keys()], ['/k/f/a', '/k/g/c']);
  answers.get('/k/f/a')?.();
  await first.answered;
  begin();
  const again = notYet(() => tree.read('f/a'));
  answers.get('/k/f/a')?.();
  await again.answered;
  assert.equal(tree.read('f/a'), 'one');
});

test('no more hangs than there are threads for', () => {
  const { tree, begin } = served({ hangingReads: 1 });
  begin();
  const first = notYet(() => tree.read('f/a'));
  assert.equal(notYet(() => tree.read('g/c')).answered, first.answered);
  first.giveUp();
  assert.throws(() => tree.read('g/c'), /too much else/);
});

test('a sensor that was slow is read off the thread from then on, and so are those beside it', async () => {
  let time = 0;
  const { tree, memory, begin, answers } = served({ now: () => time });
  memory.write('/k/hwmon/temp1', '1');
  memory.write('/k/hwmon/temp2', '2');
  const { read } = memory;
  memory.read = (...args) => {
    time += 3000;
    return read(...args);
  };
  begin();
  assert.equal(tree.read('hwmon/temp1'), '1');
  begin();
  for (const name of ['temp1', 'temp2']) {
    const { answered } = notYet(() => tree.read(`hwmon/${name}`));
    answers.get(`/k/hwmon/${name}`)?.();
    await answered;
    assert.equal(tree.read(`hwmon/${name}`), name.slice(-1));
  }
});

test('what asks hardware is read off the thread first, and at once when it has shown that it answers soon', async () => {
  let time = 0;
  const { tree, begin, answers, memory } = served({ now: () => time, magic: () => SYSFS, hangingReads: 2 });
  for (const name of ['hwmon0/temp1', 'hwmon0/label', 'hwmon1/temp1', 'hwmon2/temp1'])
    memory.write(`/k/class/hwmon/${name}`, '7');
  memory.asked();
  const answer = async (name: string, ms: number, { answered }: NotYet): Promise<void> => {
    time += ms;
    answers.get(`/k/class/hwmon/${name}`)?.();
    await answered;
  };
  const quick = tree.file('class/hwmon/hwmon0/temp1');
  const busy = tree.file('class/hwmon/hwmon1/temp1');
  const slow = tree.file('class/hwmon/hwmon2/temp1');
  begin();
  await answer(
    'hwmon0/temp1',
    1,
    notYet(() => quick.text()),
  );
  await answer(
    'hwmon0/label',
    1,
    notYet(() => tree.readOnce('class/hwmon/hwmon0/label')),
  );
  await answer(
    'hwmon1/temp1',
    100,
    notYet(() => busy.text()),
  );
  const late = notYet(() => slow.text());
  late.giveUp();
  assert.deepEqual([quick.text(), busy.text()], ['7', '7']);
  assert.equal(tree.list('class/hwmon').length, 3);
  assert.deepEqual(
    memory.asked().filter((what) => what.startsWith('open')),
    [],
  );
  begin();
  assert.equal(quick.text(), '7');
  assert.equal(tree.readOnce('class/hwmon/hwmon0/label'), '7');
  assert.deepEqual(
    memory.asked().filter((what) => what.startsWith('open')),
    ['open /k/class/hwmon/hwmon0/temp1'],
  );
  time += 1000;
  await answer(
    'hwmon1/temp1',
    1,
    notYet(() => busy.text()),
  );
  await answer('hwmon2/temp1', 3000, late);
  begin();
  assert.equal(busy.text(), '7');
  notYet(() => slow.text());
});

test('a read that was slow once may have lacked a processor', () => {
  let time = 0;
  const { tree, memory, begin } = served({ now: () => time });
  const { read } = memory;
  let ms = 100;
  memory.read = (...args) => {
    time += ms;
    return read(...args);
  };
  begin();
  tree.read('quick');
  ms = 0;
  for (let i = 0; i < 3; i += 1) {
    begin();
    assert.equal(tree.read('quick'), '1');
  }
  ms = 100;
  time += 60_000;
  for (let i = 0; i < 2; i += 1) {
    begin();
    tree.read('quick');
  }
  begin();
  notYet(() => tree.read('quick'));
});
