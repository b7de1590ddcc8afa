import { type CatalogEvent, type CatalogKind, PERF_TYPE_TRACEPOINT } from './catalog.ts';
import { planEvents } from './plan_events.ts';
import {
  type Asked,
  type Batch,
  type MachineView,
  type Missing,
  type Plan,
  type PlannedEvent,
  PMU_TYPE_SHIFT,
} from './planned.ts';
import type { Pmu } from './pmu.ts';
import { planTopdown } from './topdown.ts';

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
  const software = ofKind('software').map(plain);
  batches.push({ kind: 'software', pmu: 'software', cpus, events: software, moves: false, isOther: true });
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
  const batch: Batch = { kind: 'tracepoint', pmu: 'tracepoint', cpus, events, moves: false, isOther: true };
  return { batches: [batch], missing };
}

/** The CPUs to count on: those asked for, or all, as far as they are online. */
export const cpusToCount = (asked: readonly number[] | undefined, online: readonly number[]): readonly number[] =>
  asked === undefined ? online : asked.filter((cpu) => online.includes(cpu));

/** What to open where. */
export function plan(asked: Asked, machine: MachineView): Plan {
  const cpus = cpusToCount(asked.cpus, machine.online);
  const tracepoints = planTracepoints(asked, cpus, machine);
  const events = planEvents(asked.events, { cpus, machine, kind: 'event' });
  const topdown = asked.topdown ? planTopdown(cpus, machine) : { batches: [], missing: [] };
  const others = [tracepoints, events, topdown];
  const batches = [...planCatalog(asked, cpus, machine.pmus), ...others.flatMap((each) => each.batches)];
  return {
    batches: batches.filter((batch) => batch.events.length > 0 && batch.cpus.length > 0),
    missing: others.flatMap((each) => each.missing),
  };
}
