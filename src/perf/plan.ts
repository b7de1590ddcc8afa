import { messageOf } from '../core/errors.ts';
import { type CatalogEvent, type CatalogKind, PERF_TYPE_TRACEPOINT } from './catalog.ts';
import type { EventName, TracepointName } from './grammar.ts';
import { baseUnit, type Pmu, type PmuEvent } from './pmu.ts';
import type { TracepointId } from './tracefs.ts';

export type PerfKind = CatalogKind | 'tracepoint' | 'event';

/** One counter to open, wherever. */
export interface PlannedEvent {
  readonly name: string;
  readonly type: number;
  readonly config: bigint;
  readonly config1?: bigint;
  readonly config2?: bigint;
  /** The configuration for kernels that do not take the PMU's number in its high half. */
  readonly plainConfig?: bigint;
  readonly excludeHv: boolean;
  /** What a count is to be multiplied by, and what it then is in. */
  readonly scale?: number;
  readonly unit?: string;
}

/** Events that one PMU counts on some CPUs, in as few groups as it takes. */
export interface Batch {
  readonly kind: PerfKind;
  readonly pmu: string;
  readonly cpus: readonly number[];
  readonly events: readonly PlannedEvent[];
  /** Whether the kernel itself moves the counters to another CPU when theirs goes, as it does for uncore PMUs. */
  readonly moves: boolean;
}

/** An event that cannot be opened here, known before trying. */
export interface Missing {
  readonly kind: PerfKind;
  readonly pmu: string;
  readonly event: string;
  readonly why: string;
}

export interface Plan {
  readonly batches: readonly Batch[];
  readonly missing: readonly Missing[];
}

export interface Asked {
  readonly cpus: readonly number[] | undefined;
  readonly catalog: readonly CatalogEvent[];
  readonly tracepoints: readonly TracepointName[];
  readonly events: readonly EventName[];
}

export interface MachineView {
  readonly online: readonly number[];
  readonly pmus: readonly Pmu[];
  readPmuEvent(pmu: string, event: string): PmuEvent | undefined;
  readTracepointId(name: TracepointName): TracepointId;
}

/** The high half of the configuration names the PMU (PERF_PMU_TYPE_SHIFT), where a machine has several kinds of cores. */
const PMU_TYPE_SHIFT = 32n;

function planCatalog(asked: Asked, cpus: readonly number[], pmus: readonly Pmu[]): Batch[] {
  const cores = pmus.filter(({ isCore }) => isCore);
  const hybrid = cores.length > 1;
  const homes = cores.length === 0 ? [{ name: 'cpu', type: 0, cpus: undefined }] : cores;
  const ofKind = (kind: CatalogKind): CatalogEvent[] => asked.catalog.filter((each) => each.kind === kind);
  const plain = ({ name, type, config }: CatalogEvent): PlannedEvent => ({ name, type, config, excludeHv: true });
  const batches: Batch[] = [];
  for (const kind of ['hardware', 'cache'] as const) {
    for (const home of homes) {
      const own = cpus.filter((cpu) => home.cpus?.includes(cpu) ?? true);
      const events = ofKind(kind)
        .map(plain)
        .map((event) =>
          hybrid
            ? { ...event, config: event.config | (BigInt(home.type) << PMU_TYPE_SHIFT), plainConfig: event.config }
            : event,
        );
      batches.push({ kind, pmu: home.name, cpus: own, events, moves: false });
    }
  }
  batches.push({ kind: 'software', pmu: 'software', cpus, events: ofKind('software').map(plain), moves: false });
  return batches;
}

function planTracepoints(asked: Asked, cpus: readonly number[], machine: MachineView): Plan {
  const events: PlannedEvent[] = [];
  const missing: Missing[] = [];
  for (const point of asked.tracepoints) {
    const name = `${point.subsystem}:${point.event}`;
    const { id, why = 'no number' } = point.id === undefined ? machine.readTracepointId(point) : { id: point.id };
    if (id === undefined) missing.push({ kind: 'tracepoint', pmu: 'tracepoint', event: name, why });
    else events.push({ name, type: PERF_TYPE_TRACEPOINT, config: BigInt(id), excludeHv: true });
  }
  return { batches: [{ kind: 'tracepoint', pmu: 'tracepoint', cpus, events, moves: false }], missing };
}

/** `uncore_imc` stands for all of `uncore_imc_0`, `uncore_imc_1` and so on, as perf(1) takes it. */
const isNamed = (pmu: Pmu, name: string): boolean =>
  pmu.name === name || (pmu.name.startsWith(name) && /^_?[0-9]+$/.test(pmu.name.slice(name.length)));

function planEvents(asked: Asked, cpus: readonly number[], machine: MachineView): Plan {
  const missing: Missing[] = [];
  const byPmu = new Map<Pmu, PlannedEvent[]>();
  for (const { pmu: name, event } of asked.events) {
    const miss = (pmu: string, why: string): void => void missing.push({ kind: 'event', pmu, event, why });
    const pmus = machine.pmus.filter((each) => isNamed(each, name));
    if (pmus.length === 0) miss(name, `this machine has no event source ${name}`);
    for (const pmu of pmus) {
      try {
        const found = machine.readPmuEvent(pmu.name, event);
        if (found === undefined) {
          miss(pmu.name, `the event source ${pmu.name} names no event ${event}`);
          continue;
        }
        const { unit: rawUnit, scale: rawScale, ...config } = found;
        const [unit, factor] = baseUnit(rawUnit);
        const planned = { name: event, type: pmu.type, ...config, excludeHv: false, scale: rawScale * factor, unit };
        byPmu.set(pmu, [...(byPmu.get(pmu) ?? []), planned]);
      } catch (error) {
        miss(pmu.name, messageOf(error));
      }
    }
  }
  const batches = [...byPmu].map(([pmu, events]): Batch => {
    const home = pmu.cpumask?.filter((cpu) => machine.online.includes(cpu)) ?? [];
    const own = cpus.filter((cpu) => pmu.cpus?.includes(cpu) ?? true);
    // An uncore PMU counts for a whole package, so that --collector.perf.cpus has no say in it.
    const moves = pmu.cpumask !== undefined && pmu.cpumask.length > 0;
    return { kind: 'event', pmu: pmu.name, cpus: moves ? home : own, events, moves };
  });
  return { batches, missing };
}

/** The CPUs to count on: those asked for, or all, as far as they are online. */
export const cpusToCount = (asked: readonly number[] | undefined, online: readonly number[]): readonly number[] =>
  asked === undefined ? online : asked.filter((cpu) => online.includes(cpu));

/** What to open where. */
export function plan(asked: Asked, machine: MachineView): Plan {
  const cpus = cpusToCount(asked.cpus, machine.online);
  const tracepoints = planTracepoints(asked, cpus, machine);
  const events = planEvents(asked, cpus, machine);
  const batches = [...planCatalog(asked, cpus, machine.pmus), ...tracepoints.batches, ...events.batches];
  return {
    batches: batches.filter((batch) => batch.events.length > 0 && batch.cpus.length > 0),
    missing: [...tracepoints.missing, ...events.missing],
  };
}
