import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { StatfsAnswer } from '../../src/core/system.ts';
import { createStatfsAsker, NOT_ASKED, TIMED_OUT } from '../../src/syscall/statfs_asker.ts';

const SIZE = { blockBytes: 512, blocks: 8, blocksFree: 4, blocksAvailable: 3, files: 2, filesFree: 1 };
const LONG_MS = 60_000;

/** Mounts of file systems that may hang, each with a device of its own. */
const remote = (...paths: readonly string[]) => paths.map((path) => ({ path, device: path, isLocal: false }));

/** A kernel whose calls return when they are told to; those not named return at once. */
function kernel(...hanging: readonly string[]) {
  const asked: string[] = [];
  const releases = new Map<string, () => void>();
  return {
    asked,
    releases,
    call(path: string): Promise<StatfsAnswer> {
      asked.push(path);
      if (!hanging.includes(path)) return Promise.resolve(SIZE);
      return new Promise((resolve) => releases.set(path, () => resolve(SIZE)));
    },
  };
}

test('every path is asked once', async () => {
  const { asked, call } = kernel();
  const asker = createStatfsAsker({ workers: 1, timeoutMs: LONG_MS, call });
  const answers = await asker.ask(remote('/a', '/b', '/a'), LONG_MS);
  assert.deepEqual(asked, ['/a', '/b']);
  assert.deepEqual(
    [...answers],
    [
      ['/a', SIZE],
      ['/b', SIZE],
    ],
  );
});

test('nothing to ask is answered at once', async () => {
  assert.equal((await createStatfsAsker({ workers: 1, timeoutMs: 1 }).ask(remote(), LONG_MS)).size, 0);
});

test('one that hangs is given up, remembered, and asked again when its call has returned', async () => {
  const { asked, releases, call } = kernel('/hung');
  const asker = createStatfsAsker({ workers: 1, timeoutMs: 10, call, underWayMax: () => 3 });
  const first = await asker.ask(remote('/hung', '/a'), LONG_MS);
  assert.deepEqual([first.get('/hung'), first.get('/a')], [TIMED_OUT, SIZE]);

  const second = await asker.ask(remote('/hung', '/a'), LONG_MS);
  assert.deepEqual([second.get('/hung'), second.get('/a')], [TIMED_OUT, SIZE]);
  assert.deepEqual(asked, ['/hung', '/a', '/a']);

  releases.get('/hung')?.();
  await Promise.resolve();
  void asker.ask(remote('/hung'), LONG_MS);
  assert.deepEqual(asked.slice(3), ['/hung']);
  releases.get('/hung')?.();
});

test('the time that is left ends the asking', async () => {
  const { call } = kernel('/hung');
  const asker = createStatfsAsker({ workers: 4, timeoutMs: LONG_MS, call });
  assert.deepEqual((await asker.ask(remote('/hung'), 10)).get('/hung'), TIMED_OUT);
});

test('slow ones hold nobody up', async () => {
  const { releases, call } = kernel('/slow1', '/slow2');
  const asker = createStatfsAsker({ workers: 2, timeoutMs: LONG_MS, call, underWayMax: () => 4 });
  const asking = asker.ask(remote('/slow1', '/slow2', '/a'), LONG_MS);
  const at = performance.now();
  while (releases.size < 2) await Promise.resolve();
  setTimeout(() => {
    for (const release of releases.values()) release();
  }, 300);
  assert.deepEqual([...(await asking).keys()].sort(), ['/a', '/slow1', '/slow2']);
  assert.ok(performance.now() - at < 5000);
});

test('those that hang cannot take every thread; what cannot be asked is told so', async () => {
  const { asked, releases, call } = kernel('/1', '/2', '/3', '/4');
  const asker = createStatfsAsker({ workers: 4, timeoutMs: 10, call, underWayMax: () => 6 });
  const answersOf = async (...paths: readonly string[]) => [...(await asker.ask(remote(...paths), LONG_MS)).values()];
  assert.deepEqual(await answersOf('/a', '/1', '/2', '/4', '/3', '/c'), [
    SIZE,
    TIMED_OUT,
    TIMED_OUT,
    TIMED_OUT,
    NOT_ASKED,
    NOT_ASKED,
  ]);
  // What answered before has a thread, and what was mounted later.
  assert.deepEqual(await answersOf('/1', '/2', '/3', '/a', '/b'), [TIMED_OUT, TIMED_OUT, SIZE, SIZE, NOT_ASKED]);
  assert.deepEqual(asked, ['/a', '/1', '/2', '/4', '/a', '/b']);
  releases.get('/1')?.();
  await Promise.resolve();
  assert.deepEqual(await answersOf('/2', '/c'), [TIMED_OUT, SIZE]);
  for (const release of releases.values()) release();
});

test('a late answer of an earlier round does not end a later one', async () => {
  const { releases, call } = kernel('/1', '/2');
  const asker = createStatfsAsker({ workers: 4, timeoutMs: 200, call, underWayMax: () => 4 });
  await asker.ask(remote('/1'), 10);
  const later = asker.ask(remote('/2'), LONG_MS);
  releases.get('/1')?.();
  await Promise.resolve();
  releases.get('/2')?.();
  assert.deepEqual((await later).get('/2'), SIZE);
});

test('a file system that hangs takes one thread, wherever it is mounted', async () => {
  const { asked, releases, call } = kernel('/1', '/2');
  const asker = createStatfsAsker({ workers: 4, timeoutMs: 10, call, underWayMax: () => 6 });
  const mounts = ['/1', '/2'].map((path) => ({ path, device: '0:9', isLocal: false }));
  for (let i = 0; i < 2; i += 1)
    assert.deepEqual([...(await asker.ask(mounts, LONG_MS)).values()], [TIMED_OUT, TIMED_OUT]);
  assert.deepEqual(asked, ['/1']);
  for (const release of releases.values()) release();
});

test('a local file system is asked however many others hang, those that were healthy included', async () => {
  const hanging = new Set<string>();
  const call = (path: string): Promise<StatfsAnswer> =>
    hanging.has(path) ? new Promise(() => {}) : Promise.resolve(SIZE);
  const asker = createStatfsAsker({ workers: 4, timeoutMs: 10, call, underWayMax: () => 4 });
  const others = remote('/1', '/2', '/3', '/4', '/5');
  const mounts = [...others, { path: '/', device: '0:1', isLocal: true }];
  await asker.ask(mounts, LONG_MS);
  for (const { path } of others) hanging.add(path);
  for (let i = 0; i < 3; i += 1) assert.deepEqual((await asker.ask(mounts, LONG_MS)).get('/'), SIZE);
});
