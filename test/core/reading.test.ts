import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Reading, sumOf } from '../../src/core/reading.ts';

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

test('a number as it stands has a place, what is made of it has none', () => {
  assert.equal(new Reading(3).place, 3);
  assert.equal(new Reading(3).times(2).place, -1);
});
