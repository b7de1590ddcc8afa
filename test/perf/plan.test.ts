import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { CATALOG } from '../../src/perf/catalog.ts';
import { parseEventGroups } from '../../src/perf/event_text.ts';
import { plan } from '../../src/perf/plan.ts';
import type { Asked, MachineView } from '../../src/perf/planned.ts';
import type { Pmu } from '../../src/perf/pmu.ts';

const nothing: Asked = { cpus: undefined, catalog: [], tracepoints: [], events: [], topdown: false };
const some = CATALOG.filter(({ name }) => ['CpuCycles', 'L1DataReadMiss', 'PageFault'].includes(name));
const cycles = some.slice(0, 1);

const cpu: Pmu = { name: 'cpu', type: 4, isCore: true };
const core: Pmu = { name: 'cpu_core', type: 4, cpus: [0, 1], isCore: true };
const atom: Pmu = { name: 'cpu_atom', type: 10, cpus: [2, 3], isCore: true };
const power: Pmu = { name: 'power', type: 12, cpumask: [0, 2], isCore: false };
const msr: Pmu = { name: 'msr', type: 9, isCore: false };
const imc = [0, 1].map((i): Pmu => ({ name: `uncore_imc_${i}`, type: 20 + i, cpumask: [0], isCore: false }));

const machine = (online: readonly number[], ...pmus: readonly Pmu[]): MachineView => ({
  online,
  pmus,
  encode(pmu, [term]) {
    if (term?.name === 'none') throw new Error(`${pmu} has no "none"`);
    return { config: 2n, config1: 0n, config2: 0n, scale: 0.5, unit: 'MiB' };
  },
  eventsOf: () => [],
  capability: () => undefined,
  readTracepointId: ({ event }) => (event === 'sched_switch' ? { id: 314 } : { why: 'tracefs is not mounted' }),
});

const shape = (asked: Partial<Asked>, view: MachineView) =>
  plan({ ...nothing, ...asked }, view).batches.map(({ kind, pmu, cpus, events, moves }) => [
    kind,
    pmu,
    cpus.join(),
    events.map(({ name, type, config }) => `${name} ${type}/0x${config.toString(16)}`).join(),
    ...(moves ? ['moves'] : []),
  ]);

test('one kind of core: hardware, cache and software apart, on all CPUs online', () => {
  assert.deepEqual(shape({ catalog: some }, machine([0, 2, 3], cpu, msr)), [
    ['hardware', 'cpu', '0,2,3', 'CpuCycles 0/0x0'],
    ['cache', 'cpu', '0,2,3', 'L1DataReadMiss 3/0x10000'],
    ['software', 'software', '0,2,3', 'PageFault 1/0x2'],
  ]);
});

test('two kinds of cores: each CPU asks its own PMU, by the number in the high half', () => {
  assert.deepEqual(shape({ catalog: some }, machine([0, 1, 2, 3], core, atom)), [
    ['hardware', 'cpu_core', '0,1', 'CpuCycles 0/0x400000000'],
    ['hardware', 'cpu_atom', '2,3', 'CpuCycles 0/0xa00000000'],
    ['cache', 'cpu_core', '0,1', 'L1DataReadMiss 3/0x400010000'],
    ['cache', 'cpu_atom', '2,3', 'L1DataReadMiss 3/0xa00010000'],
    ['software', 'software', '0,1,2,3', 'PageFault 1/0x2'],
  ]);
  const [batch] = plan({ ...nothing, catalog: cycles }, machine([0], core, atom)).batches;
  assert.equal(batch?.events[0]?.plainConfig, 0n);
});

test('no PMU in sysfs: it is tried all the same', () => {
  assert.deepEqual(shape({ catalog: cycles }, machine([0])), [['hardware', 'cpu', '0', 'CpuCycles 0/0x0']]);
});

describe('CPUs', () => {
  test('only those asked for', () =>
    assert.deepEqual(shape({ catalog: cycles, cpus: [1, 3, 9] }, machine([0, 1, 2, 3], core, atom)), [
      ['hardware', 'cpu_core', '1', 'CpuCycles 0/0x400000000'],
      ['hardware', 'cpu_atom', '3', 'CpuCycles 0/0xa00000000'],
    ]));
  test('none of them online: nothing to open', () =>
    assert.deepEqual(shape({ catalog: some, cpus: [9] }, machine([0], cpu)), []));
});

test('an uncore event opens on its own CPUs only, one of a core on all', () => {
  const events = parseEventGroups(['power/energy-pkg/,msr/tsc/']);
  assert.deepEqual(shape({ events, cpus: [1] }, machine([0, 1], power, msr)), [
    ['event', 'power', '0', 'energy-pkg 12/0x2', 'moves'],
    ['event', 'msr', '1', 'tsc 9/0x2'],
  ]);
  const [batch] = plan({ ...nothing, events }, machine([0], power)).batches;
  assert.deepEqual([batch?.events[0]?.scale, batch?.events[0]?.unit], [0.5 * 2 ** 20, 'bytes']);
});

test('a package none of whose CPUs is online is not counted by CPU instead', () =>
  assert.deepEqual(
    shape({ events: parseEventGroups(['power/energy-pkg/']) }, machine([0, 1], { ...power, cpumask: [] })),
    [],
  ));

test('a name without its number stands for every instance', () => {
  const events = parseEventGroups(['uncore_imc/cas_count_read/']);
  assert.deepEqual(
    shape({ events }, machine([0], ...imc)).map(([, pmu]) => pmu),
    ['uncore_imc_0', 'uncore_imc_1'],
  );
});

test('what the machine does not name is missing, and no reason to stop', () => {
  const events = parseEventGroups(['power/none/', 'gpu/x/']);
  const tracepoints = [
    { subsystem: 'sched', event: 'sched_switch' },
    { subsystem: 'sched', event: 'other' },
    { subsystem: 'irq', event: 'given', id: 7 },
  ];
  const { batches, missing } = plan({ ...nothing, events, tracepoints }, machine([0], power));
  assert.deepEqual(
    batches.map((batch) => [batch.kind, ...batch.events.map(({ name, config }) => `${name}=${config}`)]),
    [['tracepoint', 'sched:sched_switch=314', 'irq:given=7']],
  );
  assert.deepEqual(missing, [
    { kind: 'tracepoint', pmu: 'tracepoint', event: 'sched:other', why: 'tracefs is not mounted' },
    { kind: 'event', pmu: 'power', event: 'none', why: 'power has no "none"' },
    { kind: 'event', pmu: 'gpu', event: 'x', why: 'this machine has no event source gpu; it has power' },
  ]);
});
