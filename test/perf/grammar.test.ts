import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { UsageError } from '../../src/core/errors.ts';
import { parseFlags } from '../../src/core/flag.ts';
import { parseEventGroups } from '../../src/perf/event_text.ts';
import { parseCpus, parsePresets, parseProfilers, parseTracepoints, perfFlags } from '../../src/perf/grammar.ts';
import { CGROUP_PRESETS } from '../../src/perf/presets.ts';

describe('--collector.perf.cpus', () => {
  for (const [text, cpus] of [
    ['', undefined],
    ['0', [0]],
    ['0,2-6', [0, 2, 3, 4, 5, 6]],
    ['1-10:5', [1, 6]],
    ['3,1-2,2-3', [1, 2, 3]],
    [' 0 , 1 ', [0, 1]],
  ] as const)
    test(`takes ${JSON.stringify(text)}`, () => assert.deepEqual(parseCpus(text), cpus));

  for (const text of ['a', '5:2', '3-1', '0-4:0', '1-', '-1', '0,,1', '0-99999999', '0x1', '1.5'])
    test(`refuses ${JSON.stringify(text)} and quotes it`, () =>
      assert.throws(
        () => parseCpus(text),
        (error) => error instanceof UsageError && error.message.includes(JSON.stringify(text)),
      ));
});

describe('profilers', () => {
  const names = (texts: readonly string[]) => parseProfilers('hardware', texts).map(({ name }) => name);
  test('none given means all that are exported', () => {
    assert.equal(names([]).length, 9);
    assert.equal(parseProfilers('software', []).length, 5);
    assert.equal(parseProfilers('cache', []).length, 16);
  });
  test('comma lists and repeats add up', () =>
    assert.deepEqual(names(['CpuInstr,CpuCycles', 'CacheRef']), ['CpuCycles', 'CpuInstr', 'CacheRef']));
  test('an unknown name is an error that lists the known ones', () =>
    assert.throws(
      () => names(['CpuCycles,Cycles']),
      /unknown hardware profiler "Cycles"; known are CpuCycles, CpuInstr/,
    ));
  test('a name of another kind is unknown', () =>
    assert.throws(() => parseProfilers('software', ['CpuCycles']), UsageError));
  test('the flag says its own name', () =>
    assert.throws(
      () => parseFlags(['--collector.perf.cache-profilers=L9'], [perfFlags.cache]),
      /--collector\.perf\.cache-profilers: unknown cache profiler "L9"/,
    ));
});

describe('tracepoints', () => {
  test('with and without their number, each once', () =>
    assert.deepEqual(parseTracepoints(['sched:sched_switch,irq:softirq_entry=93', 'sched:sched_switch']), [
      { subsystem: 'sched', event: 'sched_switch' },
      { subsystem: 'irq', event: 'softirq_entry', id: 93 },
    ]));
  for (const text of ['sched', 'sched:', ':x', 'a:b:c', 'a:b=', 'a:b=x', '../a:b', 'a/b:c'])
    test(`refuses ${text}`, () => assert.throws(() => parseTracepoints([text]), UsageError));
});

describe('presets', () => {
  test('in the order of their list, each once', () =>
    assert.deepEqual(parsePresets(['energy,ipc', 'ipc']), ['ipc', 'energy']));
  test('an unknown one is an error that lists the known ones', () =>
    assert.throws(() => parsePresets(['speed']), /unknown preset "speed"; known are ipc, frequency, cache/));
  test('for a cgroup only what counts for tasks', () => {
    assert.deepEqual(parsePresets(['branch,ipc'], CGROUP_PRESETS), ['ipc', 'branch']);
    assert.throws(() => parsePresets(['energy'], CGROUP_PRESETS), /"energy"; known are ipc, cache, tlb, branch$/);
  });
});

test('whatever is written parses, or is an error of usage that quotes it', () => {
  const text = fc.oneof(fc.string(), fc.stringMatching(/^[0-9,:\-a-z_/=]{0,12}$/));
  fc.assert(
    fc.property(text, (written) => {
      for (const parse of [
        (): unknown => parseCpus(written),
        () => parseTracepoints([written]),
        () => parseEventGroups([written]),
        () => parsePresets([written]),
        () => parseProfilers('cache', [written]),
      ])
        try {
          parse();
        } catch (error) {
          assert.ok(error instanceof UsageError, String(error));
          const [quoted] = /"(?:[^"\\]|\\.)*"/.exec(error.message) ?? [];
          assert.ok(quoted !== undefined && written.includes(JSON.parse(quoted)), error.message);
        }
    }),
  );
});
