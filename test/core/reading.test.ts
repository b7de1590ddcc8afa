import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Reading, Readings, sumOf } from '../../src/core/reading.ts';

test('what is made of readings is made of the numbers of each scrape', () => {
  const [a, b] = [new Reading(0), new Reading(1)];
  const made: Readonly<Record<string, [Reading, (a: number, b: number) => number]>> = {
    itself: [a, (x) => x],
    times: [a.times(512), (x) => x * 512],
    'times one': [a.times(1), (x) => x],
    over: [a.over(100), (x) => x / 100],
    plus: [a.plus(b), (x, y) => x + y],
    minus: [a.minus(b), (x, y) => x - y],
    map: [b.map((value) => value ** 2), (_, y) => y ** 2],
    'several steps': [a.plus(b).over(3).times(7), (x, y) => ((x + y) / 3) * 7],
    sum: [sumOf([a, b, b.times(2)]), (x, y) => x + y + y * 2],
    'no sum': [sumOf([]), () => 0],
  };
  for (const numbers of [Float64Array.of(7, 9), Float64Array.of(0.1, 0.2), Float64Array.of(2 ** 60, 1)])
    for (const [what, [reading, expected]] of Object.entries(made))
      assert.equal(reading.of(numbers), expected(numbers[0] as number, numbers[1] as number), what);
});

test('a number has its place with a factor and a divisor too, what more is made of has none', () => {
  const reading = new Reading(3);
  assert.equal(reading.place, 3);
  assert.equal(reading.times(2).over(3).place, 3);
  assert.equal(reading.over(3).times(2).place, -1);
  assert.equal(reading.plus(reading).place, -1);
});

test('factors and divisors are taken one after the other, as they were named', () => {
  const numbers = Float64Array.of(7);
  const reading = new Reading(0);
  for (const [made, value] of [
    [reading.times(0.1).over(3), (7 * 0.1) / 3],
    [reading.over(3).times(0.1), (7 / 3) * 0.1],
    [reading.over(3).over(0.1), 7 / 3 / 0.1],
    [reading.times(0.1).times(3), 7 * 0.1 * 3],
    [reading.plus(reading).over(3), 14 / 3],
  ] as const)
    assert.equal(made.of(numbers), value);
});

test('readings in a row answer as each of them alone, and forget the last ones', () => {
  const numbers = Float64Array.of(7, 0.25, Number.NaN);
  const [a, b, c] = [new Reading(0), new Reading(1), new Reading(2)];
  const all = [a, 5, b.times(512).over(3), c, a.plus(b), Number.NaN, b.map((value) => value ** 2), a];
  const readings = new Readings();
  const alone = (value: Reading | number): number => (typeof value === 'number' ? value : value.of(numbers));
  for (const kept of [0, 5, 3, 8]) {
    readings.cut(kept);
    for (const value of all.slice(kept)) readings.push(value);
    assert.equal(readings.length, all.length);
    for (const [i, value] of all.entries()) assert.equal(readings.of(i, numbers), alone(value));
  }
});
