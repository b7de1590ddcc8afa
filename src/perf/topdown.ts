import type { Batch, MachineView, Missing, Plan, PlannedEvent } from './planned.ts';
import { baseUnit, type Pmu } from './pmu.ts';

/**
 * Top-down: of every slot in which a CPU could have issued an operation, where it went. The kernels of some CPU families name
 * events for it; each needs its own arithmetic. All of a level's categories add up to the slots.
 * https://docs.kernel.org/admin-guide/perf/ and tools/perf/Documentation/topdown.txt
 */
export interface TopdownMethod {
  /** The events, in the order of the group. */
  readonly events: readonly string[];
  /** What a category is made of: each event's share, in slots. `slots` stands for the PMU's slots in a cycle. */
  readonly levels: readonly TopdownLevel[];
  /** Whether the counts of the first event are cycles, each of so many slots as the PMU's `caps/slots` says. */
  readonly countsCycles?: boolean;
}

/** By category, the events that it is the sum of, with their factors. */
export type TopdownLevel = Readonly<Record<string, Readonly<Record<string, number>>>>;

/** Ice Lake and later: the metric events want `slots` as their leader, and their counts are slots already. */
const INTEL_LEVEL_1: TopdownLevel = {
  retiring: { 'topdown-retiring': 1 },
  bad_speculation: { 'topdown-bad-spec': 1 },
  frontend_bound: { 'topdown-fe-bound': 1 },
  backend_bound: { 'topdown-be-bound': 1 },
};

/** Sapphire Rapids and later: what each category of the first level is made of. */
const INTEL_LEVEL_2: TopdownLevel = {
  heavy_operations: { 'topdown-heavy-ops': 1 },
  light_operations: { 'topdown-retiring': 1, 'topdown-heavy-ops': -1 },
  branch_mispredicts: { 'topdown-br-mispredict': 1 },
  machine_clears: { 'topdown-bad-spec': 1, 'topdown-br-mispredict': -1 },
  fetch_latency: { 'topdown-fetch-lat': 1 },
  fetch_bandwidth: { 'topdown-fe-bound': 1, 'topdown-fetch-lat': -1 },
  memory_bound: { 'topdown-mem-bound': 1 },
  core_bound: { 'topdown-be-bound': 1, 'topdown-mem-bound': -1 },
};

const INTEL_1 = ['slots', 'topdown-retiring', 'topdown-bad-spec', 'topdown-fe-bound', 'topdown-be-bound'] as const;
const INTEL_2 = ['topdown-heavy-ops', 'topdown-br-mispredict', 'topdown-fetch-lat', 'topdown-mem-bound'] as const;

/** Sandy Bridge to Cascade Lake, and Atom until Tremont: slots that were issued, retired, or not filled. */
const INTEL_OLD: TopdownMethod = {
  events: [
    'topdown-total-slots',
    'topdown-slots-retired',
    'topdown-slots-issued',
    'topdown-fetch-bubbles',
    'topdown-recovery-bubbles',
  ],
  levels: [
    {
      retiring: { 'topdown-slots-retired': 1 },
      bad_speculation: {
        'topdown-slots-issued': 1,
        'topdown-slots-retired': -1,
        'topdown-recovery-bubbles': 1,
      },
      frontend_bound: { 'topdown-fetch-bubbles': 1 },
      backend_bound: {
        'topdown-total-slots': 1,
        'topdown-fetch-bubbles': -1,
        'topdown-slots-issued': -1,
        'topdown-recovery-bubbles': -1,
      },
    },
  ],
};

/** Arm since PMUv3 of Armv8.4: slots that were stalled, and operations that retired. */
const ARM: TopdownMethod = {
  events: ['cpu_cycles', 'stall_slot_frontend', 'stall_slot_backend', 'op_retired'],
  countsCycles: true,
  levels: [
    {
      retiring: { op_retired: 1 },
      frontend_bound: { stall_slot_frontend: 1 },
      backend_bound: { stall_slot_backend: 1 },
      bad_speculation: { cpu_cycles: 1, stall_slot_frontend: -1, stall_slot_backend: -1, op_retired: -1 },
    },
  ],
};

const METHODS: readonly TopdownMethod[] = [
  { events: [...INTEL_1, ...INTEL_2], levels: [INTEL_LEVEL_1, INTEL_LEVEL_2] },
  { events: INTEL_1, levels: [INTEL_LEVEL_1] },
  INTEL_OLD,
  ARM,
];

const names = (machine: MachineView, { name, isCore }: Pmu): boolean =>
  isCore && machine.eventsOf(name).includes('slots');

/** The event code and the umask: `INTEL_ARCH_EVENT_MASK` in arch/x86/include/asm/perf_event.h. */
const codeOf = ({ config }: PlannedEvent): bigint => config & 0xffffn;

/** Whether it is what leads the metric events, on a PMU that names it. */
export const isSlots = (event: PlannedEvent, pmu: Pmu, machine: MachineView): boolean =>
  event.type === pmu.type && codeOf(event) === 0x400n && names(machine, pmu);

/** Whether it is a metric event, which the kernel takes in a group of `slots` alone. */
export const wantsSlots = (event: PlannedEvent, pmu: Pmu, machine: MachineView): boolean =>
  event.type === pmu.type && (codeOf(event) & 0x80ffn) === 0x8000n && names(machine, pmu);

/** How this PMU's events give it; the fullest that it names. */
export const topdownMethod = (events: readonly string[]): TopdownMethod | undefined =>
  METHODS.find((method) => method.events.every((each) => events.includes(each)));

function eventsFor(method: TopdownMethod, pmu: Pmu, machine: MachineView): PlannedEvent[] {
  const slots = Number.parseInt(machine.capability(pmu.name, 'slots') ?? '', 16);
  if (method.countsCycles === true && !(slots > 0)) throw new Error(`${pmu.name} does not say how many slots it has`);
  return method.events.map((name, i) => {
    const { scale, unit, ...config } = machine.encode(pmu.name, [{ name }]);
    const perCycle = method.countsCycles === true && i === 0 ? slots : 1;
    return { name, type: pmu.type, ...config, scale: scale * perCycle * baseUnit(unit)[1] };
  });
}

/** One group for each PMU of cores that names the events: on hybrid machines these are the large ones. */
export function planTopdown(cpus: readonly number[], machine: MachineView): Plan {
  const batches: Batch[] = [];
  const missing: Missing[] = [];
  for (const pmu of machine.pmus.filter(({ isCore }) => isCore)) {
    const method = topdownMethod(machine.eventsOf(pmu.name));
    const miss = (why: string): void => void missing.push({ kind: 'topdown', pmu: pmu.name, event: 'topdown', why });
    if (method === undefined) {
      miss(`${pmu.name} names no events for top-down`);
      continue;
    }
    try {
      const events = eventsFor(method, pmu, machine);
      const own = cpus.filter((cpu) => pmu.cpus?.includes(cpu) ?? true);
      batches.push({ kind: 'topdown', pmu: pmu.name, cpus: own, events, moves: false, isWhole: true });
    } catch (error) {
      miss(error instanceof Error ? error.message : String(error));
    }
  }
  if (machine.pmus.every(({ isCore }) => !isCore))
    missing.push({ kind: 'topdown', pmu: 'cpu', event: 'topdown', why: 'this machine shows no PMU of its cores' });
  return { batches, missing };
}

/** The categories of each level, in slots, from the totals of the events; none of them below what it was `before`. */
export function categoriesOf(
  totals: ReadonlyMap<string, number>,
  before: Map<string, number> = new Map(),
): ReadonlyMap<string, number>[] {
  const method = topdownMethod([...totals.keys()]);
  return (method?.levels ?? []).map((level) => {
    const slots = new Map<string, number>();
    for (const [category, parts] of Object.entries(level)) {
      const sum = Object.entries(parts).reduce((all, [event, factor]) => all + factor * (totals.get(event) ?? 0), 0);
      // Differences of counts that are not quite of the same moment can shrink by a little.
      const value = Math.max(sum, before.get(category) ?? 0);
      before.set(category, value);
      slots.set(category, value);
    }
    return slots;
  });
}
