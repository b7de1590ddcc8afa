import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { ParseError } from '../../src/core/errors.ts';
import { baseUnit, encode, parseField, parseTerms, readPmuEvent, readPmus } from '../../src/perf/pmu.ts';
import { openTree } from '../../src/source/source.ts';
import { tree } from '../helpers/scrape.ts';

const pair = (low: number, high: number): readonly [number, number] => [low, high];

describe('parseField', () => {
  for (const [text, field] of [
    ['config:0-7\n', { word: 'config', ranges: [pair(0, 7)] }],
    ['config:0-7,32-35', { word: 'config', ranges: [pair(0, 7), pair(32, 35)] }],
    ['config1:18', { word: 'config1', ranges: [pair(18, 18)] }],
    ['config2:0-63', { word: 'config2', ranges: [pair(0, 63)] }],
  ] as const)
    test(`reads ${JSON.stringify(text)}`, () => assert.deepEqual(parseField(text), field));
  for (const text of ['', 'config', 'config:', 'config:7-0', 'config:0-64', 'config9:0', 'config:a', 'config:0-7,'])
    test(`refuses ${JSON.stringify(text)}`, () => assert.throws(() => parseField(text), ParseError));
});

describe('parseTerms', () => {
  test('reads values of any base, and flags', () =>
    assert.deepEqual(parseTerms('event=0x3c,umask=1,edge\n'), [
      { name: 'event', value: 0x3cn },
      { name: 'umask', value: 1n },
      { name: 'edge', value: 1n },
    ]));
  for (const text of ['', 'event=?', 'event=0x', '=1', 'event=1,,umask=2', 'event=-'])
    test(`refuses ${JSON.stringify(text)}`, () => assert.throws(() => parseTerms(text), ParseError));
});

describe('encode', () => {
  const fields = { event: 'config:0-7,32-35', umask: 'config:8-15', edge: 'config:18', ldlat: 'config1:0-15' };
  const fieldOf = (name: string) => {
    const text = fields[name as keyof typeof fields];
    return text === undefined ? undefined : parseField(text);
  };
  const words = (config: bigint, config1 = 0n) => ({ config, config1, config2: 0n });
  for (const [text, expected] of [
    ['event=0x3c', words(0x3cn)],
    ['event=0x3c,umask=0x01,edge', words(0x4013cn)],
    ['event=0xf12', words(0xf00000012n)],
    ['ldlat=0xffff,event=1', words(1n, 0xffffn)],
    ['config=0x123456789abcdef0', words(0x123456789abcdef0n)],
  ] as const)
    test(`places ${text}`, () => assert.deepEqual(encode(parseTerms(text), fieldOf), expected));
  for (const text of ['nothing=1', 'umask=0x100', 'event=0x1000'])
    test(`refuses ${text}`, () => assert.throws(() => encode(parseTerms(text), fieldOf), ParseError));

  test('every bit of a value lands in its field, and in no other', () =>
    fc.assert(
      fc.property(fc.bigInt(0n, 0xfffn), fc.bigInt(0n, 0xffn), (event, umask) => {
        const terms = [
          { name: 'event', value: event },
          { name: 'umask', value: umask },
        ];
        const { config } = encode(terms, fieldOf);
        assert.equal((config & 0xffn) | ((config >> 24n) & 0xf00n), event);
        assert.equal((config >> 8n) & 0xffn, umask);
        assert.equal(config & ~0xf0000ffffn, 0n);
      }),
    ));
});

test('whatever sysfs holds is read or refused, never more', () => {
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.stringMatching(/^[a-z0-9=,:x?-]{0,20}$/)), (text) => {
      for (const parse of [
        (): unknown => parseField(text),
        () => encode(parseTerms(text), () => parseField('config:0-7')),
      ])
        try {
          parse();
        } catch (error) {
          assert.ok(error instanceof ParseError, String(error));
        }
    }),
  );
});

const DEVICES = 'sys/bus/event_source/devices';
const files = {
  [`${DEVICES}/cpu/type`]: '4\n',
  [`${DEVICES}/cpu/format/event`]: 'config:0-7\n',
  [`${DEVICES}/cpu/events/cpu-cycles`]: 'event=0x3c\n',
  [`${DEVICES}/cpu/events/broken`]: 'event=?\n',
  [`${DEVICES}/armv8_cortex_a53/type`]: '8\n',
  [`${DEVICES}/armv8_cortex_a53/cpus`]: '0-3\n',
  [`${DEVICES}/power/type`]: '12\n',
  [`${DEVICES}/power/cpumask`]: '0,18\n',
  [`${DEVICES}/power/format/event`]: 'config:0-7\n',
  [`${DEVICES}/power/events/energy-pkg`]: 'event=0x02\n',
  [`${DEVICES}/power/events/energy-pkg.scale`]: '2.3283064365386962890625e-10\n',
  [`${DEVICES}/power/events/energy-pkg.unit`]: 'Joules\n',
  [`${DEVICES}/software/type`]: '1\n',
  [`${DEVICES}/odd/type`]: 'x\n',
};

test('readPmus tells the PMUs of cores from the others', (t) => {
  const sys = openTree(`${tree(t, files)}/sys`);
  assert.deepEqual(readPmus(sys), [
    { name: 'armv8_cortex_a53', type: 8, cpus: [0, 1, 2, 3], isCore: true },
    { name: 'cpu', type: 4, isCore: true },
    { name: 'power', type: 12, cpumask: [0, 18], isCore: false },
    { name: 'software', type: 1, isCore: false },
  ]);
});

test('readPmus of a machine without event sources finds none', (t) => {
  assert.deepEqual(readPmus(openTree(`${tree(t, { 'sys/x': '' })}/sys`)), []);
});

test("readPmuEvent reads the kernel's scale and unit", (t) => {
  const sys = openTree(`${tree(t, files)}/sys`);
  assert.deepEqual(readPmuEvent(sys, 'power', 'energy-pkg'), {
    config: 2n,
    config1: 0n,
    config2: 0n,
    scale: 2 ** -32,
    unit: 'Joules',
  });
  assert.equal(readPmuEvent(sys, 'cpu', 'cpu-cycles')?.config, 0x3cn);
  assert.equal(readPmuEvent(sys, 'cpu', 'nothing'), undefined);
  assert.equal(readPmuEvent(sys, 'power', 'energy-pkg.unit'), undefined);
  assert.throws(() => readPmuEvent(sys, 'cpu', 'broken'), /events\/broken: cannot parse "event=\?/);
});

test('baseUnit', () => {
  assert.deepEqual(baseUnit('Joules'), ['joules', 1]);
  assert.deepEqual(baseUnit('MiB'), ['bytes', 1048576]);
  assert.deepEqual(baseUnit(''), ['', 1]);
  assert.deepEqual(baseUnit('slots'), ['slots', 1]);
});
