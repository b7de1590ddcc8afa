import assert from 'node:assert/strict';
import { test } from 'node:test';
import { nearestFirst } from '../../src/perf/nearest.ts';

test('the nearest name is the first: one that holds it, then one that looks like it', () => {
  const known = ['smi', 'tsc', 'faults', 'topdown-total-slots', 'instructions', 'cpu-cycles'];
  for (const [unknown, first] of [
    ['slots', 'topdown-total-slots'],
    ['instruction', 'instructions'],
    ['CPU-Cylces', 'cpu-cycles'],
    ['falts', 'faults'],
    ['', 'smi'],
  ] as const)
    assert.equal(nearestFirst(unknown, known)[0], first, unknown);
  assert.deepEqual(nearestFirst('tsc', known).toSorted(), known.toSorted());
  assert.deepEqual(nearestFirst('tsc', []), []);
});
