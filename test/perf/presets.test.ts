import assert from 'node:assert/strict';
import { test } from 'node:test';
import { viewMachine } from '../../src/perf/acquire.ts';
import { planEvents } from '../../src/perf/plan_events.ts';
import { CGROUP_PRESETS, presetCatalog, presetCgroupEvents } from '../../src/perf/presets.ts';
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
