import assert from 'node:assert/strict';
import { describe, type TestContext, test } from 'node:test';
import fc from 'fast-check';
import { ParseError } from '../../src/core/errors.ts';
import { parseEventGroups } from '../../src/perf/event_text.ts';
import { baseUnit, encodeTerms, isCounting, parseField, parseTerms, pmuFolders, readPmus } from '../../src/perf/pmu.ts';
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

describe('encodeTerms', () => {
  const format = { event: 'config:0-7,32-35', umask: 'config:8-15', edge: 'config:18', ldlat: 'config1:0-15' };
  const named = { loads: 'event=0xcd,umask=1,ldlat=3', odd: 'nothing=1', both: 'event=1', event: 'umask=2' };
  const open = (t: TestContext) => {
    const at = 'sys/bus/event_source/devices/cpu';
    const entries = (folder: string, own: object) =>
      Object.entries(own).map(([name, text]) => [`${at}/${folder}/${name}`, `${text}\n`]);
    return openTree(`${tree(t, Object.fromEntries([...entries('format', format), ...entries('events', named)]))}/sys`);
  };
  const words = (config: bigint, config1 = 0n) => ({ config, config1, config2: 0n, scale: 1, unit: '' });
  const encode = (t: TestContext, text: string) =>
    encodeTerms(open(t), 'cpu', parseEventGroups([`cpu/${text}/`])[0]?.events[0]?.terms ?? []);
  for (const [text, expected] of [
    ['event=0x3c', words(0x3cn)],
    ['event=0x3c,umask=0x01,edge', words(0x4013cn)],
    ['event=0xf12', words(0xf00000012n)],
    ['ldlat=0xffff,event=1', words(1n, 0xffffn)],
    ['config=0x123456789abcdef0', words(0x123456789abcdef0n)],
    ['loads,ldlat=4', words(0x1cdn, 7n)],
    ['event', words(1n)],
  ] as const)
    test(`places ${text}`, (t) => assert.deepEqual(encode(t, text), expected));
  for (const [text, why] of [
    ['nothing=1', /has no "nothing"/],
    ['umask=0x100', /too large/],
    ['event=0x1000', /too large; at most 0xfff/],
    ['odd', /events\/odd: cannot parse "nothing=1"/],
    ['both,loads', /loads is a second named event/],
    ['loads.scale', /has no "loads.scale"/],
  ] as const)
    test(`refuses ${text}`, (t) => assert.throws(() => encode(t, text), why));

  test('every bit of a value lands in its field, and in no other', (t) => {
    const sys = open(t);
    fc.assert(
      fc.property(fc.bigInt(0n, 0xfffn), fc.bigInt(0n, 0xffn), (event, umask) => {
        const { config } = encodeTerms(sys, 'cpu', [
          { name: 'event', value: event },
          { name: 'umask', value: umask },
        ]);
        assert.equal((config & 0xffn) | ((config >> 24n) & 0xf00n), event);
        assert.equal((config >> 8n) & 0xffn, umask);
        assert.equal(config & ~0xf0000ffffn, 0n);
      }),
    );
  });
});

test('what records, or puts probes into code, does not count', () => {
  const names = ['cpu', 'msr', 'arm_cmn_0', 'intel_pt', 'ibs_op', 'arm_spe_0', 'kprobe', 'uprobe', 'breakpoint'];
  assert.deepEqual(names.filter(isCounting), ['cpu', 'msr', 'arm_cmn_0']);
});

test('whatever sysfs holds is read or refused, never more', () => {
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.stringMatching(/^[a-z0-9=,:x?-]{0,20}$/)), (text) => {
      for (const parse of [(): unknown => parseField(text), () => parseTerms(text)])
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

test('the folders of all of them, for whoever may read nothing else', (t) => {
  const root = tree(t, files);
  const [all, ...each] = pmuFolders(openTree(`${root}/sys`));
  assert.equal(all?.replace(/\/$/, ''), `${root}/${DEVICES}`);
  const names = ['armv8_cortex_a53', 'cpu', 'odd', 'power', 'software'];
  assert.deepEqual(
    each,
    names.map((name) => `${root}/${DEVICES}/${name}`),
  );
});

test('readPmus of a machine without event sources finds none', (t) => {
  assert.deepEqual(readPmus(openTree(`${tree(t, { 'sys/x': '' })}/sys`)), []);
});

test("encodeTerms reads the kernel's scale and unit", (t) => {
  const sys = openTree(`${tree(t, files)}/sys`);
  const of = (pmu: string, name: string) => encodeTerms(sys, pmu, [{ name }]);
  assert.deepEqual(of('power', 'energy-pkg'), {
    config: 2n,
    config1: 0n,
    config2: 0n,
    scale: 2 ** -32,
    unit: 'Joules',
  });
  assert.equal(of('cpu', 'cpu-cycles').config, 0x3cn);
  assert.throws(() => of('cpu', 'broken'), /events\/broken: cannot parse "event=\?/);
});

test('baseUnit', () => {
  assert.deepEqual(baseUnit('Joules'), ['joules', 1]);
  assert.deepEqual(baseUnit('MiB'), ['bytes', 1048576]);
  assert.deepEqual(baseUnit(''), ['', 1]);
  assert.deepEqual(baseUnit('slots'), ['slots', 1]);
});
