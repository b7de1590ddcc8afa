import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createDescriptors, type Keeper } from '../../src/source/descriptors.ts';
import { createSource } from '../../src/source/source.ts';
import { createMemory } from '../helpers/memory.ts';

const FILES = Object.fromEntries(Array.from({ length: 20 }, (_, i) => [`/k/f${i}`, `${i}`]));

/** Keeps a descriptor where it may. */
function keeperOf(descriptors: ReturnType<typeof createDescriptors>, path: string): Keeper & { fd: number } {
  const keeper = {
    fd: -1,
    release(): void {
      descriptors.close(keeper.fd);
      keeper.fd = -1;
    },
  };
  keeper.fd = descriptors.open(path);
  if (!descriptors.keep(keeper)) keeper.release();
  return keeper;
}

for (const [allowed, max] of [
  [16, 4],
  [140, 20],
  [0, 0],
] as const)
  test(`of ${allowed} descriptors a quarter may be kept`, () => {
    const disk = createMemory(FILES);
    const descriptors = createDescriptors(allowed, disk);
    for (const path of Object.keys(FILES)) keeperOf(descriptors, path);
    assert.equal(descriptors.kept, max);
    assert.equal(disk.openCount, max);
  });

test('however many there may be, no more than 1,024 are kept', () => {
  const descriptors = createDescriptors(1e6, createMemory());
  let kept = 0;
  for (let i = 0; i < 2000; i += 1) if (descriptors.keep({ release() {} })) kept += 1;
  assert.equal(kept, 1024);
});

test('who comes first keeps; who forgets makes room', () => {
  const descriptors = createDescriptors(8, createMemory());
  const [a, b, c] = [1, 2, 3].map((): Keeper => ({ release() {} })) as [Keeper, Keeper, Keeper];
  assert.deepEqual([a, b, c].map(descriptors.keep), [true, true, false]);
  descriptors.forget(a);
  assert.equal(descriptors.keep(c), true);
});

for (const code of ['EMFILE', 'ENFILE'])
  test(`where the system says ${code} all that is kept is given back, and nothing kept from then on`, () => {
    const disk = createMemory(FILES);
    let isFull = false;
    const descriptors = createDescriptors(1000, {
      ...disk,
      open(path) {
        if (isFull && disk.openCount > 0) throw Object.assign(new Error(code), { code });
        return disk.open(path);
      },
    });
    const keepers = [0, 1, 2].map((i) => keeperOf(descriptors, `/k/f${i}`));
    isFull = true;
    const fd = descriptors.open('/k/f9');
    assert.deepEqual(
      keepers.map((keeper) => keeper.fd),
      [-1, -1, -1],
    );
    assert.deepEqual([descriptors.kept, disk.openCount], [0, 1]);
    descriptors.close(fd);
    assert.equal(keeperOf(descriptors, '/k/f0').fd, -1);
    assert.equal(disk.openCount, 0);
  });

test('where nothing is kept that could be given back, the refusal is thrown', () => {
  const disk = createMemory(FILES);
  disk.openMax = 0;
  const descriptors = createDescriptors(1000, disk);
  assert.throws(() => descriptors.open('/k/f0'), { code: 'EMFILE' });
  assert.throws(() => descriptors.open('/k/none'), { code: 'ENOENT' });
});

test('a source goes on reading every file when the process has no descriptor left', () => {
  const disk = createMemory(FILES);
  const source = createSource({ disk, openFiles: 1000 });
  const tree = source.openTree('/k');
  const readAll = (): string => {
    source.clock.begin();
    return Object.keys(FILES)
      .map((path) => tree.file(path.slice(3)).text())
      .join(' ');
  };
  const all = Object.values(FILES).join(' ');
  assert.equal(readAll(), all);
  assert.equal(disk.openCount, 20);
  disk.write('/k/late', 'late');
  disk.openMax = 20;
  assert.equal(tree.file('late').text(), 'late');
  assert.equal(disk.openCount, 0);
  disk.openMax = 1;
  disk.write('/k/f7', 'seven');
  assert.equal(readAll(), all.replace(' 7 ', ' seven '));
  assert.equal(disk.openCount, 0, 'each is closed again');
});

test('closing a source closes what is kept, and it can be read again', () => {
  const disk = createMemory(FILES);
  const source = createSource({ disk });
  const file = source.openTree('/k').file('f1');
  assert.equal(file.text(), '1');
  assert.equal(disk.openCount, 1);
  source.close();
  assert.equal(disk.openCount, 0);
  source.clock.begin();
  assert.equal(file.text(), '1');
});
