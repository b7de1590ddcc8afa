import { messageOf } from '../core/errors.ts';
import { PERF_TYPE_HARDWARE, PERF_TYPE_HW_CACHE, PERF_TYPE_RAW, PERF_TYPE_SOFTWARE } from './catalog.ts';
import { type EventGroup, type EventText, excludedBy } from './event_text.ts';
import { genericEvent } from './generic_events.ts';
import {
  type Batch,
  type MachineView,
  type Missing,
  type PerfKind,
  type Plan,
  type PlannedEvent,
  PMU_TYPE_SHIFT,
} from './planned.ts';
import { baseUnit, isCounting, isNamed, isSameEvent, type Pmu } from './pmu.ts';

export interface EventsToPlan {
  /** Online, and asked for. */
  readonly cpus: readonly number[];
  readonly machine: MachineView;
  readonly kind: PerfKind;
}

/** An event on one of the PMUs that count it. */
interface Home {
  readonly pmu: Pmu;
  readonly event: PlannedEvent;
}

interface Resolved {
  readonly homes: readonly Home[];
  readonly missing: readonly Missing[];
}

const SOFTWARE: Pmu = { name: 'software', type: PERF_TYPE_SOFTWARE, isCore: false };
/** Where sysfs shows no PMU of cores: it is tried all the same. */
const SOME_CPU: Pmu = { name: 'cpu', type: PERF_TYPE_RAW, isCore: true };

/** Whether a PMU counts for a package, or for a part of it, and not for a CPU. */
export const isShared = ({ cpumask, isCore }: Pmu): boolean => !isCore && cpumask !== undefined;

const coresOf = ({ pmus }: MachineView): readonly Pmu[] => {
  const cores = pmus.filter(({ isCore }) => isCore);
  return cores.length === 0 ? [SOME_CPU] : cores;
};

function plannedOf({ label, terms, modifiers }: EventText, pmu: Pmu, machine: MachineView): PlannedEvent {
  const { unit: rawUnit, scale: rawScale, ...config } = machine.encode(pmu.name, terms);
  const [unit, factor] = baseUnit(rawUnit);
  return { name: label, type: pmu.type, ...config, ...excludedBy(modifiers), scale: rawScale * factor, unit };
}

/** `instructions` and the like, whose numbers the kernel knows on every machine. */
function resolveGeneric(event: EventText, machine: MachineView): Home[] | undefined {
  const generic = event.name === undefined ? undefined : genericEvent(event.name);
  if (generic === undefined) return undefined;
  const planned: PlannedEvent = { name: event.label, ...generic, ...excludedBy(event.modifiers) };
  if (generic.type !== PERF_TYPE_HARDWARE && generic.type !== PERF_TYPE_HW_CACHE)
    return [{ pmu: SOFTWARE, event: planned }];
  const cores = coresOf(machine);
  if (cores.length === 1) return cores.map((pmu) => ({ pmu, event: planned }));
  return cores.map((pmu) => {
    const config = generic.config | (BigInt(pmu.type) << PMU_TYPE_SHIFT);
    return { pmu, event: { ...planned, config, plainConfig: generic.config } };
  });
}

/** The PMUs that an event is for, or why there is none. */
function pmusFor(event: EventText, machine: MachineView): { pmus: readonly Pmu[]; event: EventText } | { why: string } {
  const { pmu: written, name } = event;
  if (written !== undefined) {
    if (!isCounting(written)) return { why: `the event source ${written} records, and Keyhole counts` };
    const pmus = machine.pmus.filter((each) => isNamed(each, written));
    if (pmus.length > 0) return { pmus, event };
    return {
      why: `this machine has no event source ${written}; it has ${machine.pmus.map((each) => each.name).join(', ') || 'none'}`,
    };
  }
  if (name === undefined) return { pmus: coresOf(machine), event };
  const pmus = machine.pmus.filter(
    (each) => isCounting(each.name) && machine.eventsOf(each.name).some((event) => isSameEvent(event, name)),
  );
  if (pmus.length > 0) return { pmus, event: { ...event, terms: [{ name }] } };
  return {
    why: `no event source of this machine names ${JSON.stringify(name)}; 'keyhole events' lists what they name`,
  };
}

function resolve(event: EventText, machine: MachineView, kind: PerfKind): Resolved {
  const generic = resolveGeneric(event, machine);
  if (generic !== undefined) return { homes: generic, missing: [] };
  const found = pmusFor(event, machine);
  const miss = (pmu: string, why: string): Missing => ({ kind, pmu, event: event.label, why });
  if ('why' in found) return { homes: [], missing: [miss(event.pmu ?? '', found.why)] };
  const homes: Home[] = [];
  const missing: Missing[] = [];
  for (const pmu of found.pmus) {
    try {
      if (isShared(pmu) && event.modifiers !== '')
        missing.push(miss(pmu.name, `${pmu.name} counts for a package, and can leave nothing out: no modifiers`));
      else if (kind === 'cgroup' && isShared(pmu))
        missing.push(miss(pmu.name, `${pmu.name} counts for a package, and not for a cgroup`));
      // Without a PMU in sysfs a raw event has no format to be held against.
      else if (pmu === SOME_CPU) homes.push({ pmu, event: rawEvent(event) });
      else homes.push({ pmu, event: plannedOf(found.event, pmu, machine) });
    } catch (error) {
      missing.push(miss(pmu.name, messageOf(error)));
    }
  }
  return { homes, missing };
}

const rawEvent = ({ label, terms, modifiers }: EventText): PlannedEvent => ({
  name: label,
  type: PERF_TYPE_RAW,
  config: terms[0]?.value ?? 0n,
  ...excludedBy(modifiers),
});

/** The CPUs to open a PMU's events on. A package's counters know one each, and --collector.perf.cpus has no say in it. */
function cpusFor(pmu: Pmu, { cpus, machine }: EventsToPlan): readonly number[] {
  if (isShared(pmu)) return pmu.cpumask?.filter((cpu) => machine.online.includes(cpu)) ?? [];
  return cpus.filter((cpu) => pmu.cpus?.includes(cpu) ?? true);
}

/** A group in braces: on every PMU that has all of its members. Software events go with any. */
function planWhole(group: EventGroup, parts: EventsToPlan): Plan {
  const { machine, kind } = parts;
  const resolved = group.events.map((event) => resolve(event, machine, kind));
  const missing = resolved.flatMap((each) => each.missing);
  const own = resolved.map(({ homes }) => homes.filter(({ pmu }) => pmu !== SOFTWARE).map(({ pmu }) => pmu));
  const pmus = [...new Set(own.flat())];
  const homes = pmus.length === 0 ? [SOFTWARE] : pmus;
  const batches: Batch[] = [];
  for (const pmu of homes) {
    const events = resolved.flatMap((each) => {
      const found = each.homes.find((home) => home.pmu === pmu || home.pmu === SOFTWARE);
      return found === undefined ? [] : [found.event];
    });
    if (events.length === group.events.length)
      batches.push({ kind, pmu: pmu.name, cpus: cpusFor(pmu, parts), events, moves: isShared(pmu), isWhole: true });
    else {
      const why = 'a group is counted by one event source, whole or not at all';
      missing.push(...events.map(({ name }): Missing => ({ kind, pmu: pmu.name, event: name, why })));
    }
  }
  return { batches, missing };
}

/** What to open where: each group in braces for itself, and all the others of a PMU in as few groups as it takes. */
export function planEvents(groups: readonly EventGroup[], parts: EventsToPlan): Plan {
  const { machine, kind } = parts;
  const wholes = groups.filter(({ isWhole }) => isWhole).map((group) => planWhole(group, parts));
  const single = groups.filter(({ isWhole }) => !isWhole).flatMap(({ events }) => events);
  const resolved = single.map((event) => resolve(event, machine, kind));
  const byPmu = Map.groupBy(
    resolved.flatMap(({ homes }) => homes),
    ({ pmu }) => pmu,
  );
  const batches = [...byPmu].map(([pmu, homes]): Batch => {
    const events = homes.map(({ event }) => event);
    return { kind, pmu: pmu.name, cpus: cpusFor(pmu, parts), events, moves: isShared(pmu) };
  });
  return {
    batches: [...batches, ...wholes.flatMap((each) => each.batches)],
    missing: [...resolved, ...wholes].flatMap((each) => each.missing),
  };
}
