import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Collect } from '../../src/core/host.ts';
import { silent } from '../../src/core/log.ts';
import { NotYet } from '../../src/core/not_yet.ts';
import { createRegistry } from '../../src/core/registry.ts';
import { Samples } from '../../src/core/samples.ts';

test('who runs, or goes on, is told by the number of its part', async () => {
  const told: number[] = [];
  const { promise, resolve } = Promise.withResolvers<void>();
  let isAnswered = false;
  const waits: Collect = () => {
    if (!isAnswered) throw new NotYet('file', promise, () => {});
  };
  const answers: Collect = () => {
    isAnswered = true;
    resolve();
  };
  const parts = { a: [() => {}], b: [waits], c: [answers] };
  const ready = Object.entries(parts).map(([name, all]) => ({ name, parts: all as Collect[] }));
  const registry = createRegistry(ready.reverse(), { timeoutMs: 1000, log: silent, onRun: (part) => told.push(part) });
  await registry.scrape({ take() {}, clear() {} }, new Samples());
  assert.deepEqual(told, [1, 2, 3, 2]);
});
