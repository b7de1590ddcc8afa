import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { distance, nearest } from '../../src/core/similar.ts';

const NAMES = [
  'collector.perf',
  'no-collector.os',
  'collector.cpu',
  'collector.perf.cpus',
  'web.listen-address',
  'no-collector.cpu',
];

for (const [word, meant] of [
  ['colector.perf', 'collector.perf'],
  ['Collector.CPU', 'collector.cpu'],
  ['web.listen-adress', 'web.listen-address'],
  ['perf', 'collector.perf'],
  ['cpu', undefined],
  ['bogus', undefined],
  ['collector.pref', 'collector.perf'],
  ['colelctor.cpu', 'collector.cpu'],
  ['no-collector.foo', undefined],
  ['no-collector.cup', 'no-collector.cpu'],
  ['', undefined],
  ['x'.repeat(1000), undefined],
] as const)
  test(`${word.slice(0, 30)} probably means ${meant}`, () => assert.equal(nearest(word, NAMES), meant));

test('the distance is that of two words', () => {
  assert.equal(distance('kitten', 'sitting'), 3);
  assert.equal(distance('', 'abc'), 3);
  assert.equal(distance('comapre', 'compare'), 1);
  fc.assert(
    fc.property(fc.string(), fc.string(), (a, b) => {
      assert.equal(distance(a, b), distance(b, a));
      assert.equal(distance(a, b) === 0, a === b);
      assert.ok(distance(a, b) <= Math.max(a.length, b.length));
    }),
  );
});
