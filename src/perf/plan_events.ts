import { messageOf } from '../core/errors.ts';
import { PERF_TYPE_HARDWARE, PERF_TYPE_HW_CACHE, PERF_TYPE_RAW, PERF_TYPE_SOFTWARE } from './catalog.ts';
import { type EventGroup, type EventText, excludedBy } from './event_text.ts';
import { genericEvent, genericNames } from './generic_events.ts';
import { nearestFirst } from './nearest.ts';
import {
  type Batch,
  type MachineView,
  type Missing,
  type PerfKind,
  type Plan,
  type PlannedEvent,
  PMU_TYPE_SHIFT,
} from './planned.ts';
import { baseUnit, isCounting, isNamed, isSameEvent, listed, type Pmu } from './pmu.ts';
import { isSlots, wantsSlots } from './topdown.ts';

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

/** The time stamp counter and its like: the kernel has them in every group, as it has software events, and leaves nothing out. */
const isMsr = ({ name }: Pmu): boolean => name === 'msr';

/** Whether an event source's events are members of any group. */
const goesWithAny = (pmu: Pmu): boolean => pmu === SOFTWARE || isMsr(pmu);

const coresOf = ({ pmus }: MachineView): readonly Pmu[] => {
  const cores = pmus.filter(({ isCore }) => isCore);
  return cores.length === 0 ? [SOME_CPU] : cores;
};

function plannedOf({ label, terms, modifiers }: EventText, pmu: Pmu, machine: MachineView): PlannedEvent {
  const { unit: rawUnit, scale: rawScale, ...config } = machine.encode(pmu.name, terms);
  const [unit, factor] = baseUnit(rawUnit);
  return { name: label, type: pmu.type, ...config, ...excludedBy(modifiers), scale: rawScale * factor, unit };
}

type Generic = NonNullable<ReturnType<typeof genericEvent>>;

const isOfHardware = ({ type }: Generic): boolean => type === PERF_TYPE_HARDWARE || type === PERF_TYPE_HW_CACHE;

/** One that the PMUs of cores count: of several, each has its number in the high half. */
function onCore({ label, modifiers, terms }: EventText, generic: Generic, pmu: Pmu, machine: MachineView): Home {
  const more = Object.fromEntries(
    terms.flatMap(({ name, value }) => (/^config[12]$/.test(name) ? [[name, value]] : [])),
  );
  const event: PlannedEvent = { name: label, ...generic, ...more, ...excludedBy(modifiers) };
  if (coresOf(machine).length === 1) return { pmu, event };
  const config = generic.config | (BigInt(pmu.type) << PMU_TYPE_SHIFT);
  return { pmu, event: { ...event, config, plainConfig: generic.config } };
}

/** `instructions` and the like, whose numbers the kernel knows on every machine. */
function resolveGeneric(event: EventText, machine: MachineView): Home[] | undefined {
  const generic = event.name === undefined ? undefined : genericEvent(event.name);
  if (generic === undefined) return undefined;
  if (isOfHardware(generic)) return coresOf(machine).map((pmu) => onCore(event, generic, pmu, machine));
  return [{ pmu: SOFTWARE, event: { name: event.label, ...generic, ...excludedBy(event.modifiers) } }];
}

/** `cpu_core/cycles/`: such a name on one PMU of cores, which does not name it itself. */
function genericOn(event: EventText, pmu: Pmu, machine: MachineView): Home | undefined {
  const [term, ...others] = event.terms;
  if (!pmu.isCore || term === undefined || term.value !== undefined || others.length > 0) return undefined;
  if (machine.eventsOf(pmu.name).some((each) => isSameEvent(each, term.name))) return undefined;
  const generic = genericEvent(term.name);
  return generic !== undefined && isOfHardware(generic) ? onCore(event, generic, pmu, machine) : undefined;
}

const NEAREST_SHOWN = 12;

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
  const known = [...genericNames, ...machine.pmus.flatMap((each) => machine.eventsOf(each.name))];
  const nearest = listed(nearestFirst(name, [...new Set(known)]), NEAREST_SHOWN);
  return { why: `no event source of this machine names ${JSON.stringify(name)}; nearest are ${nearest}` };
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
      const generic = genericOn(found.event, pmu, machine);
      if (generic !== undefined) homes.push(generic);
      else if (isShared(pmu) && event.modifiers !== '')
        missing.push(miss(pmu.name, `${pmu.name} counts for a package, and can leave nothing out: no modifiers`));
      else if (isMsr(pmu) && event.modifiers !== '')
        missing.push(miss(pmu.name, `${pmu.name} counts whatever runs, and can leave nothing out: no modifiers`));
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
  ...Object.fromEntries(terms.slice(1).map(({ name, value }) => [name, value])),
  ...excludedBy(modifiers),
});

/** The CPUs to open a PMU's events on. A package's counters know one each, and --collector.perf.cpus has no say in it. */
function cpusFor(pmu: Pmu, { cpus, machine }: EventsToPlan): readonly number[] {
  if (isShared(pmu)) return pmu.cpumask?.filter((cpu) => machine.online.includes(cpu)) ?? [];
  return cpus.filter((cpu) => pmu.cpus?.includes(cpu) ?? true);
}

/** Whether the events need nothing of the PMUs of cores. */
const other = (pmu: Pmu): Pick<Batch, 'isOther'> => (pmu.isCore ? {} : { isOther: true });

/** The event sources that a group in braces is for: those that bind it, or what goes with any. */
function leadersOf(homes: readonly Home[]): readonly Pmu[] {
  const pmus = new Set(homes.map(({ pmu }) => pmu));
  const binding = [...pmus].filter((pmu) => !goesWithAny(pmu));
  if (binding.length > 0) return binding;
  return [...pmus]
    .filter(isMsr)
    .concat(pmus.has(SOFTWARE) ? [SOFTWARE] : [])
    .slice(0, 1);
}

const WANTS_SLOTS = "top-down's metric events want 'slots' in their group, as in {slots,topdown-retiring}";

/** A group in braces: on every PMU that has all of its members. Software events, and those of msr, go with any. */
function planWhole(group: EventGroup, parts: EventsToPlan): Plan {
  const { machine, kind } = parts;
  const resolved = group.events.map((event) => resolve(event, machine, kind));
  const missing = resolved.flatMap((each) => each.missing);
  const batches: Batch[] = [];
  for (const pmu of leadersOf(resolved.flatMap(({ homes }) => homes))) {
    const events = resolved.flatMap(({ homes }) => {
      const found = homes.find((home) => home.pmu === pmu) ?? homes.find((home) => goesWithAny(home.pmu));
      return found === undefined ? [] : [found.event];
    });
    const miss = (why: string): void =>
      void missing.push(...events.map(({ name }): Missing => ({ kind, pmu: pmu.name, event: name, why })));
    const slots = events.filter((event) => isSlots(event, pmu, machine));
    if (events.length < group.events.length) miss('a group is counted by one event source, whole or not at all');
    else if (slots.length === 0 && events.some((event) => wantsSlots(event, pmu, machine))) miss(WANTS_SLOTS);
    else {
      // The kernel wants slots as the leader, wherever it was written; perf moves it too.
      const ordered = [...slots, ...events.filter((event) => !slots.includes(event))];
      const cpus = cpusFor(pmu, parts);
      batches.push({ kind, pmu: pmu.name, cpus, events: ordered, moves: isShared(pmu), isWhole: true, ...other(pmu) });
    }
  }
  return { batches, missing };
}

const leftOut = ({ excludeUser, excludeKernel, excludeHv, excludeHost, excludeGuest }: PlannedEvent): string =>
  [excludeUser, excludeKernel, excludeHv, excludeHost, excludeGuest].map((each) => each === true).join();

/** The events of one source as batches: in as few groups as it takes, and top-down's metric events each led by its slots. */
function planLoose(pmu: Pmu, events: readonly PlannedEvent[], parts: EventsToPlan): Batch[] {
  const { kind, machine } = parts;
  const shared = { kind, pmu: pmu.name, cpus: cpusFor(pmu, parts), moves: isShared(pmu), ...other(pmu) };
  const metrics = Map.groupBy(
    events.filter((event) => wantsSlots(event, pmu, machine)),
    leftOut,
  );
  const rest = new Set(events.filter((event) => !wantsSlots(event, pmu, machine)));
  const led = [...metrics].map(([key, members]): Batch => {
    const [first] = members as [PlannedEvent];
    const asked = [...rest].find((event) => isSlots(event, pmu, machine) && leftOut(event) === key);
    if (asked !== undefined) rest.delete(asked);
    const leader = asked ?? {
      ...first,
      name: `slots${/:\w+$/.exec(first.name)?.[0] ?? ''}`,
      ...machine.encode(pmu.name, [{ name: 'slots' }]),
    };
    return { ...shared, events: [leader, ...members], isWhole: true };
  });
  return rest.size === 0 ? led : [{ ...shared, events: [...rest] }, ...led];
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
  const batches = [...byPmu].flatMap(([pmu, homes]) =>
    planLoose(
      pmu,
      homes.map(({ event }) => event),
      parts,
    ),
  );
  return {
    batches: [...batches, ...wholes.flatMap((each) => each.batches)],
    missing: [...resolved, ...wholes].flatMap((each) => each.missing),
  };
}
