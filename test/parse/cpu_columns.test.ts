import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ParseError } from '../../src/core/errors.ts';
import { parseCpuColumns } from '../../src/parse/cpu_columns.ts';

test('parseCpuColumns gives the numbers of the CPUs, not the places of the columns', () => {
  assert.deepEqual(parseCpuColumns('           CPU0       CPU1       CPU3       ', 'interrupts'), ['0', '1', '3']);
});

for (const heading of [undefined, '', '   ', 'CPU', 'CPU0 1', 'CPU01', 'cpu0', 'CPU-1'])
  test(`parseCpuColumns refuses ${JSON.stringify(heading)}`, () =>
    assert.throws(() => parseCpuColumns(heading, 'interrupts'), ParseError));
