import assert from 'node:assert/strict';
import { test } from 'node:test';
import { viewMachine } from '../../src/perf/acquire.ts';
import { planEvents } from '../../src/perf/plan_events.ts';
import {
  CGROUP_PRESETS,
  presetCatalog,
  presetCgroupEvents,
  presetGroups,
  presetStates,
} from '../../src/perf/presets.ts';
import { openTree } from '../../src/source/source.ts';
import { FAMILIES, familyFiles } from '../helpers/cpu_families.ts';
import { tree } from '../helpers/scrape.ts';

for (const preset of CGROUP_PRESETS)
  test(`for a cgroup, ${preset} is the same events as for a CPU`, (t) => {
    const sys = openTree(`${tree(t, familyFiles(FAMILIES.zen_4, 'sys/bus/event_source/devices'))}/sys`);
    const machine = viewMachine(sys, [0]);
    const { batches, missing } = planEvents(presetCgroupEvents([preset]), { cpus: [0], machine, kind: 'cgroup' });
    const numbers = (events: readonly { readonly type: number; readonly config: bigint }[]) =>
      events.map(({ type, config }) => `${type} ${config}`).sort();
    assert.deepEqual(missing, []);
    assert.deepEqual(numbers(batches.flatMap(({ events }) => events)), numbers(presetCatalog([preset])));
  });

test('the frequency is that of a machine which names both counters of it, and not of a virtual one with the time alone', (t) => {
  const msr = (names: string) => ({
    cpu: FAMILIES.skylake.cpu,
    msr: { ...FAMILIES.skylake.msr, events: Object.fromEntries(names.split(' ').map((name) => [name, 'event=0x00'])) },
  });
  for (const [names, counts] of [
    ['tsc', []],
    ['tsc aperf', []],
    ['tsc smi mperf', []],
    ['aperf mperf', ['msr/aperf/', 'msr/mperf/']],
    ['tsc aperf mperf', ['msr/aperf/', 'msr/mperf/', 'msr/tsc/']],
  ] as const) {
    const sys = openTree(`${tree(t, familyFiles(msr(names), 'sys/bus/event_source/devices'))}/sys`);
    const machine = viewMachine(sys, [0]);
    assert.deepEqual(presetStates(machine).find(({ preset }) => preset === 'frequency')?.counts, counts, names);
    const { groups, absent } = presetGroups(['ipc', 'frequency'], machine);
    assert.equal(groups.length, counts.length, names);
    assert.deepEqual(absent, counts.length === 0 ? ['frequency'] : [], names);
  }
});
