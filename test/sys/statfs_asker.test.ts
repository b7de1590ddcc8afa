import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { StatfsAnswer } from '../../src/sys/statfs.ts';
import { createStatfsAsker, NOT_ASKED, TIMED_OUT } from '../../src/sys/statfs_asker.ts';

const SIZE = { blockBytes: 512, blocks: 8, blocksFree: 4, blocksAvailable: 3, files: 2, filesFree: 1 };
const LONG_MS = 60_000;

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
  const answers = await asker.ask(['/a', '/b', '/a'], LONG_MS);
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
  assert.equal((await createStatfsAsker({ workers: 1, timeoutMs: 1 }).ask([], LONG_MS)).size, 0);
});

test('one that hangs is given up, remembered, and asked again when its call has returned', async () => {
  const { asked, releases, call } = kernel('/hung');
  const asker = createStatfsAsker({ workers: 1, timeoutMs: 10, call, underWayMax: () => 3 });
  const first = await asker.ask(['/hung', '/a'], LONG_MS);
  assert.deepEqual([first.get('/hung'), first.get('/a')], [TIMED_OUT, SIZE]);

  const second = await asker.ask(['/hung', '/a'], LONG_MS);
  assert.deepEqual([second.get('/hung'), second.get('/a')], [TIMED_OUT, SIZE]);
  assert.deepEqual(asked, ['/hung', '/a', '/a']);

  releases.get('/hung')?.();
  await Promise.resolve();
  void asker.ask(['/hung'], LONG_MS);
  assert.deepEqual(asked.slice(3), ['/hung']);
  releases.get('/hung')?.();
});

test('the time that is left ends the asking', async () => {
  const { call } = kernel('/hung');
  const asker = createStatfsAsker({ workers: 4, timeoutMs: LONG_MS, call });
  assert.deepEqual((await asker.ask(['/hung'], 10)).get('/hung'), TIMED_OUT);
});

test('slow ones hold nobody up', async () => {
  const { releases, call } = kernel('/slow1', '/slow2');
  const asker = createStatfsAsker({ workers: 2, timeoutMs: LONG_MS, call, underWayMax: () => 4 });
  const asking = asker.ask(['/slow1', '/slow2', '/a'], LONG_MS);
  const at = performance.now();
  while (releases.size < 2) await Promise.resolve();
  setTimeout(() => {
    for (const release of releases.values()) release();
  }, 300);
  assert.deepEqual([...(await asking).keys()].sort(), ['/a', '/slow1', '/slow2']);
  assert.ok(performance.now() - at < 5000);
});

test('those that hang cannot take every thread; what cannot be asked is told so', async () => {
  const { asked, releases, call } = kernel('/1', '/2');
  const asker = createStatfsAsker({ workers: 4, timeoutMs: 10, call, underWayMax: () => 2 });
  const paths = ['/1', '/2', '/3'];
  const before = await asker.ask(paths, LONG_MS);
  assert.deepEqual([before.get('/1'), before.get('/2'), before.get('/3')], [TIMED_OUT, TIMED_OUT, NOT_ASKED]);
  assert.deepEqual((await asker.ask(paths, LONG_MS)).get('/3'), NOT_ASKED);
  assert.deepEqual(asked, ['/1', '/2']);
  releases.get('/1')?.();
  await Promise.resolve();
  assert.deepEqual((await asker.ask(['/2', '/3'], LONG_MS)).get('/3'), SIZE);
  for (const release of releases.values()) release();
});
