import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Collect } from '../../src/core/collector.ts';
import { NoDataError } from '../../src/core/errors.ts';
import { silent } from '../../src/core/log.ts';
import { gauge } from '../../src/core/metric.ts';
import { createWatchedRegistry } from '../../src/core/watched_registry.ts';

const family = gauge('node_test', 'A number.', 'of');
const two: Collect = (out) => {
  out.sample(family, 1, 'a');
  out.sample(family, 2, 'b');
};
const throws = (error: unknown): Collect => {
  return (out) => {
    out.sample(family, 1, 'a');
    throw error;
  };
};

for (const [what, collect, state, error, series] of [
  ['one that works', two, 'ok', undefined, 2],
  ['one that is awaited', async (out, turn) => two(out, turn), 'ok', undefined, 2],
  ['one without anything to read', throws(new NoDataError('no ZFS')), 'no_data', 'no ZFS', 1],
  ['one that throws', throws(new Error('EIO')), 'failed', 'EIO', 1],
  ['one that rejects', async (out, turn) => throws(new Error('EIO'))(out, turn), 'failed', 'EIO', 1],
] as const satisfies readonly (readonly [string, Collect, string, string | undefined, number])[])
  test(`the state of ${what}`, async () => {
    const registry = createWatchedRegistry([{ name: 'x', collect }], { timeoutMs: 1000, log: silent });
    assert.deepEqual(registry.states(), [{ name: 'x', state: 'never_run', durationSeconds: 0, series: 0, faults: 0 }]);
    await registry.scrape();
    const [found] = registry.states();
    assert.equal(found?.state, state);
    assert.equal(found?.error, error);
    assert.equal(found?.series, series);
    assert.equal(found?.faults, state === 'failed' ? 1 : 0);
    assert.ok((found?.durationSeconds ?? -1) >= 0);
  });

test('one that is late has failed, and is fine again when it comes back', async () => {
  const gate = Promise.withResolvers<void>();
  const registry = createWatchedRegistry([{ name: 'slow', collect: () => gate.promise }], {
    timeoutMs: 10,
    log: silent,
  });
  await registry.scrape();
  const [late] = registry.states();
  assert.equal(late?.state, 'failed');
  assert.equal(late?.error, 'not done after 0.01 s');
  gate.resolve();
  await registry.scrape();
  assert.equal(registry.states()[0]?.state, 'ok');
});
