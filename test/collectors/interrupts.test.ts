import assert from 'node:assert/strict';
import { test } from 'node:test';
import interrupts, { parseInterrupts } from '../../src/collectors/interrupts.ts';
import { ParseError } from '../../src/core/errors.ts';
import { golden, scrape, tree } from '../helpers/scrape.ts';

const rowsOf = (text: string) => [...parseInterrupts(text).rows];

test('parseInterrupts tells chip and devices of a numbered interrupt from the purpose of another', () => {
  assert.deepEqual(rowsOf('  CPU0 CPU3\n 24: 1 0 IO-APIC 5-edge ACPI:Ged\nLOC: 7 8  Local timer interrupts\n'), [
    { type: '24', counts: [1, 0], info: 'IO-APIC', devices: '5-edge ACPI:Ged' },
    { type: 'LOC', counts: [7, 8], info: 'Local timer interrupts', devices: '' },
  ]);
});

test('parseInterrupts reads what arm64 writes without a blank', () => {
  assert.deepEqual(rowsOf('  CPU0\nIPI0:1234567890       Rescheduling interrupts\n'), [
    { type: 'IPI0', counts: [1234567890], info: 'Rescheduling interrupts', devices: '' },
  ]);
});

test('parseInterrupts passes over rows that are not by CPU', () => {
  assert.deepEqual(rowsOf('  CPU0 CPU1\nERR:          0\nMIS:          0\n\nno colon\n 9: 1 2\n'), []);
});

for (const [why, text] of [
  ['an empty file', ''],
  ['a file without its heading', ' 24: 1 0 IO-APIC 5-edge ACPI:Ged\n'],
  ['what is not a number', ' CPU0 CPU1\n 24: 1 IO-APIC 5-edge\n'],
] as const)
  test(`parseInterrupts refuses ${why}`, () => assert.throws(() => rowsOf(text), ParseError));

test('interrupts: the fixtures scrape to the golden text', (t) => golden(t, interrupts));

const typesOf = async (...argv: string[]): Promise<string[]> => {
  const { text } = await scrape(interrupts, { argv });
  return [...new Set([...text.matchAll(/type="([^"]*)"/g)].map(([, type]) => type as string))].sort();
};

test('interrupts are chosen by name, description and devices', async () => {
  assert.deepEqual(await typesOf('--collector.interrupts.name-include=^(LOC|NMI);'), ['LOC', 'NMI']);
  assert.deepEqual(await typesOf('--collector.interrupts.name-include=nvme0q0$'), ['126']);
  assert.deepEqual(await typesOf('--collector.interrupts.name-exclude=;IR-|;DMAR-|^(NMI|RES)'), ['LOC']);
});

test('interrupts: both patterns together both hold', async () => {
  const argv = ['--collector.interrupts.name-include=^[A-Z]', '--collector.interrupts.name-exclude=timer'];
  assert.deepEqual(await typesOf(...argv), ['NMI', 'RES']);
});

test('interrupts leave zeros out when asked', async () => {
  const { text } = await scrape(interrupts, { argv: ['--no-collector.interrupts.include-zeros'] });
  assert.doesNotMatch(text, / 0$/m);
  assert.match(text, /cpu="3".*type="126"} 41$/m);
});

test('interrupts fail without their file', async (t) => {
  assert.equal((await scrape(interrupts, { root: tree(t, {}) })).success, false);
});
