import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { test } from 'node:test';
import interrupts from '../../src/collectors/interrupts.ts';
import { samplesIn, testFile } from '../helpers/odd.ts';
import { golden, prepared, scrape, tree } from '../helpers/scrape.ts';

const LOC = 'LOC: 7 8  Local timer interrupts\n';
const total = (cpu: string, type: string, info: string, devices: string, count: number): string =>
  `node_interrupts_total{cpu="${cpu}",devices="${devices}",info="${info}",type="${type}"} ${count}`;
const loc = [total('0', 'LOC', 'Local timer interrupts', '', 7), total('3', 'LOC', 'Local timer interrupts', '', 8)];

testFile(interrupts, 'proc/interrupts', [
  [
    'chip and devices of a numbered interrupt',
    `  CPU0 CPU3\n 24: 1 0 IO-APIC  5-edge ACPI:Ged\n${LOC}`,
    [
      loc[0] as string,
      total('0', '24', 'IO-APIC', '5-edge ACPI:Ged', 1),
      loc[1] as string,
      total('3', '24', 'IO-APIC', '5-edge ACPI:Ged', 0),
    ],
  ],
  [
    'what arm64 writes without a blank',
    '  CPU0\nIPI0:1234567890       Rescheduling interrupts\n',
    [total('0', 'IPI0', 'Rescheduling interrupts', '', 1234567890).replace('1234567890', '1.23456789e+09')],
  ],
  ['rows that are not by CPU', `  CPU0 CPU3\nERR:   0\nMIS:  0\n\nno colon at all\n 9: 1 2\n${LOC}`, loc],
  ['what is no number', `  CPU0 CPU3\n 24: 1 IO-APIC 5-edge\n${LOC}`, loc, ' 24: 1 IO-APIC 5-edge'],
  ['an empty file', '', [], ''],
  ['a file without its heading', ' 24: 1 0 IO-APIC 5-edge ACPI:Ged\n', [], '24: 1 0 IO-APIC 5-edge ACPI:Ged'],
]);

testFile(
  interrupts,
  'proc/interrupts',
  [
    ['a count of zero', `  CPU0 CPU3\n${LOC.replace('7', '0')}`, loc.slice(1)],
    ['what is no number', `  CPU0 CPU3\n 9: 0 x IO-APIC\n${LOC}`, loc, ' 9: 0 x IO-APIC'],
  ],
  { argv: ['--no-collector.interrupts.include-zeros'] },
);

test('a count that is no longer zero comes, and goes again', async (t) => {
  const root = tree(t, { 'proc/interrupts': '' });
  const again = prepared(interrupts, { root, argv: ['--no-collector.interrupts.include-zeros'] });
  for (const [text, samples] of [
    [LOC, loc],
    [LOC.replace('8', '0'), loc.slice(0, 1)],
    [LOC, loc],
  ] as const) {
    writeFileSync(`${root}/proc/interrupts`, `  CPU0 CPU3\n${text}`);
    assert.deepEqual(samplesIn((await again()).text), samples);
  }
});

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
