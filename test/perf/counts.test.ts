import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { advance, isAlive, isCurrent, newTally, type Reading } from '../../src/perf/counts.ts';

const reading = (enabledNs: bigint, runningNs: bigint, ...values: readonly bigint[]): Reading => ({
  enabledNs,
  runningNs,
  members: values.map((value, i) => ({ value, id: BigInt(i + 7) })),
});

test('a group that ran all the time is counted as it is, beyond the precision of a double', () => {
  const tally = newTally(2);
  advance(tally, reading(100n, 100n, 2n ** 63n + 1n, 5n));
  assert.deepEqual(tally.totals, [2n ** 63n + 1n, 5n]);
  assert.ok(isCurrent(tally));
});

test('a group that ran for a quarter of the interval is scaled by four, in this interval only', () => {
  const tally = newTally(1);
  advance(tally, reading(1000n, 1000n, 500n));
  advance(tally, reading(2000n, 1250n, 600n));
  assert.deepEqual(tally.totals, [500n + 400n]);
  advance(tally, reading(3000n, 2250n, 700n));
  assert.deepEqual(tally.totals, [1000n]);
  assert.deepEqual([tally.enabledTotalNs, tally.runningTotalNs], [3000n, 2250n]);
});

test('a wait is accounted for by the next run', () => {
  const tally = newTally(1);
  advance(tally, reading(1000n, 1000n, 100n));
  advance(tally, reading(2000n, 1000n, 100n));
  assert.deepEqual(tally.totals, [100n]);
  assert.deepEqual([tally.enabledTotalNs, tally.runningTotalNs], [2000n, 1000n]);
  advance(tally, reading(3000n, 2000n, 200n));
  assert.deepEqual(tally.totals, [300n]);
  assert.deepEqual([tally.enabledTotalNs, tally.runningTotalNs], [3000n, 2000n]);
});

test('what never ran, or has long not run, has no value', () => {
  const tally = newTally(1);
  advance(tally, reading(1000n, 0n, 0n));
  assert.ok(!isCurrent(tally));
  advance(tally, reading(2000n, 1n, 1n));
  assert.ok(isCurrent(tally));
  advance(tally, reading(500_000_000n, 1n, 1n));
  assert.ok(isCurrent(tally));
  advance(tally, reading(1_500_000_000n, 1n, 1n));
  assert.ok(!isCurrent(tally));
});

test('isAlive tells a dead group by its size, its members, its time and its values', () => {
  const tally = newTally(2);
  const ids = [7, 8];
  const first = reading(100n, 100n, 5n, 6n);
  assert.ok(isAlive(tally, first, ids));
  advance(tally, first);
  assert.ok(isAlive(tally, reading(101n, 101n, 5n, 6n), ids));
  assert.ok(!isAlive(tally, first, ids), 'time stands still');
  assert.ok(!isAlive(tally, reading(101n, 101n, 5n), ids), 'only the leader is left');
  assert.ok(!isAlive(tally, reading(101n, 101n, 5n, 6n), [7, 9]), 'other members');
  assert.ok(!isAlive(tally, reading(101n, 101n, 4n, 6n), ids), 'runs backwards');
});

test('sums never run backwards, whatever the turns', () => {
  const step = fc.record({ waited: fc.nat(1000), ran: fc.nat(1000), count: fc.bigInt(0n, 2n ** 50n) });
  fc.assert(
    fc.property(fc.array(step), (steps) => {
      const tally = newTally(1);
      let [enabled, running, value, before] = [0n, 0n, 0n, 0n];
      for (const { waited, ran, count } of steps) {
        enabled += BigInt(waited + ran);
        running += BigInt(ran);
        if (ran > 0) value += count;
        advance(tally, reading(enabled, running, value));
        const total = tally.totals[0] as bigint;
        assert.ok(total >= before && total >= value);
        assert.equal(tally.enabledTotalNs, enabled);
        assert.equal(tally.runningTotalNs, running);
        before = total;
      }
    }),
  );
});
