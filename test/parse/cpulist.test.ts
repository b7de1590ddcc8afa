import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { ParseError } from '../../src/core/errors.ts';
import { parseCpulist } from '../../src/parse/cpulist.ts';

for (const [text, expected] of [
  ['', []],
  ['\n', []],
  ['0\n', [0]],
  ['0-3,5\n', [0, 1, 2, 3, 5]],
  ['2,4,10-11', [2, 4, 10, 11]],
  ['7-7', [7]],
] as const)
  test(`parseCpulist reads ${JSON.stringify(text)}`, () => assert.deepEqual(parseCpulist(text, 'online'), expected));

for (const text of [',', '0,', '-1', '1-', '3-1', '0-1-2', '0 1', 'a', '0x1', '65536', '0-4294967295', '+1'])
  test(`parseCpulist refuses ${JSON.stringify(text)}`, () =>
    assert.throws(() => parseCpulist(text, 'online'), ParseError));

test('parseCpulist refuses ranges that repeat without end', () =>
  assert.throws(() => parseCpulist(new Array(100).fill('0-65535').join(), 'online'), ParseError));

/** As the kernel's `%*pbl` writes a set of CPUs. */
function kernelText(cpus: readonly number[]): string {
  const ranges: [first: number, last: number][] = [];
  for (const cpu of cpus) {
    const range = ranges.at(-1);
    if (range?.[1] === cpu - 1) range[1] = cpu;
    else ranges.push([cpu, cpu]);
  }
  return `${ranges.map(([first, last]) => (first === last ? first : `${first}-${last}`)).join()}\n`;
}

test('parseCpulist gives back every set of CPUs that the kernel can write', () => {
  fc.assert(
    fc.property(fc.uniqueArray(fc.integer({ min: 0, max: 300 })), (set) => {
      const cpus = set.sort((a, b) => a - b);
      assert.deepEqual(parseCpulist(kernelText(cpus), 'online'), cpus);
    }),
  );
});

test('parseCpulist gives a list or a ParseError for any text', () => {
  fc.assert(
    fc.property(fc.string({ unit: fc.constantFrom(...'0129-, \n') }), (text) => {
      try {
        for (const cpu of parseCpulist(text, 'online')) assert.ok(Number.isInteger(cpu) && cpu >= 0 && cpu <= 65535);
      } catch (error) {
        assert.ok(error instanceof ParseError);
      }
    }),
  );
});
