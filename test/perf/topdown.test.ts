import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { viewMachine } from '../../src/perf/acquire.ts';
import { presetGroups } from '../../src/perf/presets.ts';
import { categoriesOf, planTopdown, topdownMethod } from '../../src/perf/topdown.ts';
import { openTree } from '../../src/source/source.ts';
import { FAMILIES, type FamilyName, familyFiles } from '../helpers/cpu_families.ts';
import { tree } from '../helpers/scrape.ts';

type Test = Parameters<typeof tree>[0];
const ONLINE = [0, 1, 2, 3];
const machineOf = (t: Test, family: FamilyName) =>
  viewMachine(openTree(`${tree(t, familyFiles(FAMILIES[family], 'sys/bus/event_source/devices'))}/sys`), ONLINE);

describe('what each family names for top-down', () => {
  for (const [family, expected] of [
    ['ice_lake', [['cpu', 4, 'slots', 5]]],
    ['sapphire_rapids', [['cpu', 4, 'slots', 9]]],
    ['alder_lake', [['cpu_core', 2, 'slots', 9]]],
    ['skylake', [['cpu', 4, 'topdown-total-slots', 5]]],
    ['neoverse_v2', [['armv8_pmuv3_0', 4, 'cpu_cycles', 4]]],
    ['neoverse_n1', []],
    ['zen_4', []],
  ] as const)
    test(family, (t) => {
      const { batches, missing } = planTopdown(ONLINE, machineOf(t, family));
      assert.deepEqual(
        batches.map(({ pmu, cpus, events }) => [pmu, cpus.length, events[0]?.name, events.length]),
        expected,
      );
      assert.ok(batches.every(({ isWhole }) => isWhole));
      if (expected.length === 0) assert.match(missing[0]?.why ?? '', /names no events for top-down/);
    });
});

test('the slots of an Arm core are its cycles times what its caps say', (t) => {
  const { batches } = planTopdown(ONLINE, machineOf(t, 'neoverse_v2'));
  assert.deepEqual(
    batches[0]?.events.map(({ scale }) => scale),
    [8, 1, 1, 1],
  );
});

test('an Arm core that does not say how many slots it has is left out', (t) => {
  const { caps: _, ...core } = FAMILIES.neoverse_v2.armv8_pmuv3_0;
  const files = familyFiles({ armv8_pmuv3_0: core }, 'sys/bus/event_source/devices');
  const { batches, missing } = planTopdown([0], viewMachine(openTree(`${tree(t, files)}/sys`), [0]));
  assert.deepEqual(batches, []);
  assert.match(missing[0]?.why ?? '', /does not say how many slots/);
});

test('a machine without a PMU of its cores says so', (t) => {
  const machine = viewMachine(openTree(`${tree(t, { 'sys/x': '' })}/sys`), [0]);
  assert.match(planTopdown([0], machine).missing[0]?.why ?? '', /no PMU of its cores/);
});

const sum = (slots: ReadonlyMap<string, number>): number => [...slots.values()].reduce((a, b) => a + b, 0);

test('the categories of a level add up to the slots', () => {
  const skylake = new Map([
    ['topdown-total-slots', 1000],
    ['topdown-slots-retired', 300],
    ['topdown-slots-issued', 400],
    ['topdown-fetch-bubbles', 250],
    ['topdown-recovery-bubbles', 50],
  ]);
  const [old] = categoriesOf(skylake);
  assert.deepEqual(Object.fromEntries(old ?? []), {
    retiring: 300,
    bad_speculation: 150,
    frontend_bound: 250,
    backend_bound: 300,
  });
  const arm = new Map([
    ['cpu_cycles', 800],
    ['stall_slot_frontend', 100],
    ['stall_slot_backend', 300],
    ['op_retired', 350],
  ]);
  const [ours] = categoriesOf(arm);
  assert.equal(sum(ours ?? new Map()), 800);
  assert.equal(ours?.get('bad_speculation'), 50);
  assert.deepEqual(categoriesOf(new Map([['cycles', 1]])), []);
});

test('no category runs backwards, and both levels of Sapphire Rapids add up to the same', () => {
  const events = topdownMethod(Object.keys(FAMILIES.sapphire_rapids.cpu.events))?.events ?? [];
  const step = fc.tuple(...[1, 2, 3, 4].map(() => fc.tuple(fc.nat(1000), fc.nat(1000))));
  fc.assert(
    fc.property(fc.array(step, { minLength: 1, maxLength: 8 }), (steps) => {
      const totals = new Map(events.map((event) => [event, 0]));
      const before = new Map<string, number>();
      const last = new Map<string, number>();
      for (const parts of steps) {
        for (const [i, [first, second]] of parts.entries()) {
          const [whole, half] = [events[1 + i] as string, events[5 + i] as string];
          totals.set(whole, (totals.get(whole) ?? 0) + first + second);
          totals.set(half, (totals.get(half) ?? 0) + first);
        }
        const [level, detail] = categoriesOf(totals, before);
        assert.equal(sum(level ?? new Map()), sum(detail ?? new Map()));
        for (const [name, slots] of [...(level ?? []), ...(detail ?? [])]) {
          assert.ok(slots >= (last.get(name) ?? 0));
          last.set(name, slots);
        }
      }
    }),
  );
});

describe('presets take what the machine names, and nothing else', () => {
  for (const [family, expected, absent] of [
    [
      'skylake',
      [
        'power/energy-pkg',
        'power/energy-cores',
        'power/energy-ram',
        'power/energy-gpu',
        'power/energy-psys',
        'uncore_imc/data_reads',
        'uncore_imc/data_writes',
      ],
      [],
    ],
    [
      'ice_lake',
      ['power/energy-pkg', 'power/energy-ram', 'uncore_imc/cas_count_read', 'uncore_imc/cas_count_write'],
      [],
    ],
    [
      'granite_rapids',
      ['read_sch0', 'read_sch1', 'write_sch0', 'write_sch1'].map((each) => `uncore_imc/cas_count_${each}`),
      ['energy'],
    ],
    [
      'alder_lake',
      [
        'power/energy-pkg',
        'power/energy-cores',
        'power/energy-psys',
        'uncore_imc_free_running/data_read',
        'uncore_imc_free_running/data_write',
      ],
      [],
    ],
    ['zen_5', ['power/energy-pkg', 'power_core/energy-core'], ['membw']],
    ['neoverse_v2', [], ['energy', 'membw']],
  ] as const)
    test(family, (t) => {
      const { groups, absent: none } = presetGroups(['ipc', 'energy', 'membw'], machineOf(t, family));
      assert.deepEqual(
        groups.map(({ events: [event] }) => `${event?.pmu}/${event?.label}`),
        expected,
      );
      assert.deepEqual(none, absent);
    });
});
