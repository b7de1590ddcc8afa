import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ParseError } from '../../src/core/errors.ts';
import { parseCpuinfo } from '../../src/parse/cpuinfo.ts';

const X86 = `processor\t: 7
vendor_id\t: AuthenticAMD
cpu family\t: 25
model\t\t: 17
model name\t: AMD EPYC: 9th
stepping\t: 1
microcode\t: 0x1000065
cpu MHz\t\t: 2596.148
cache size\t: 1024 KB
physical id\t: 1
core id\t\t: 3
fpu\t\t: yes
flags\t\t: fpu  aes avx
bugs\t\t: spectre_v1
power management:
`;

test('parseCpuinfo reads a CPU as x86 writes it', () => {
  assert.deepEqual(parseCpuinfo(X86).cpus, [
    {
      processor: '7',
      package: '1',
      core: '3',
      vendor: 'AuthenticAMD',
      family: '25',
      model: '17',
      modelName: 'AMD EPYC: 9th',
      microcode: '0x1000065',
      stepping: '1',
      cacheSize: '1024 KB',
      flags: 'fpu  aes avx',
      bugs: 'spectre_v1',
      frequencyMhz: 2596.148,
    },
  ]);
});

test('parseCpuinfo reads CPUs as arm64 writes them, and leaves empty what is not told', () => {
  const text = 'processor\t: 0\nBogoMIPS\t: 48.00\nFeatures\t: fp asimd\nCPU implementer\t: 0x41\n\nprocessor\t: 1\n';
  const [first, second] = parseCpuinfo(text).cpus;
  assert.deepEqual([first?.processor, first?.flags, first?.vendor, first?.package], ['0', 'fp asimd', '', '']);
  assert.deepEqual([second?.processor, second?.flags, second?.frequencyMhz], ['1', '', undefined]);
});

test('parseCpuinfo knows no frequency where the kernel knows none', () => {
  assert.equal(parseCpuinfo('processor\t: 0\ncpu MHz\t\t: Unknown\n').cpus[0]?.frequencyMhz, undefined);
});

for (const [why, text] of [
  ['an empty file', ''],
  ['a file without CPUs', 'model name\t: x\n'],
] as const)
  test(`parseCpuinfo refuses ${why}`, () => assert.throws(() => parseCpuinfo(text), ParseError));

for (const [why, odd, expected] of [
  ['a processor that is not a number', 'processor\t: x\nmodel\t: 9\n', ['1:7:']],
  ['a processor without a number', 'processor\t:\nmodel\t: 9\n', ['1:7:']],
  ['a frequency that is not a number', 'processor\t: 0\ncpu MHz\t\t: fast\nmodel\t: 9\n', ['0:9:', '1:7:']],
] as const)
  test(`parseCpuinfo: ${why} costs itself alone`, () => {
    for (const text of [`${odd}\nprocessor\t: 1\nmodel\t: 7\n`, `processor\t: 1\nmodel\t: 7\n\n${odd}`]) {
      const { cpus, faults } = parseCpuinfo(text);
      const seen = cpus.map(({ processor, model, frequencyMhz = '' }) => `${processor}:${model}:${frequencyMhz}`);
      assert.deepEqual(seen.sort(), expected);
      assert.equal(faults.length, 1);
    }
  });
