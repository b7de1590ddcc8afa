import { CATALOG, type CatalogEvent } from './catalog.ts';
import { type EventGroup, parseEventGroups } from './event_text.ts';
import type { MachineView } from './planned.ts';
import { isNamed } from './pmu.ts';
import { topdownMethod } from './topdown.ts';

/** Events that answer one question together. What a CPU family's kernel does not name is left out, never guessed. */
interface PresetEvents {
  /** Those that the kernel knows on every machine, by their names in the catalog. */
  readonly catalog?: readonly string[];
  /** Those of event sources: each is taken where this machine names it. */
  readonly events?: readonly string[];
  /** Those among them without which the others say nothing. */
  readonly needs?: readonly string[];
  readonly topdown?: boolean;
  /** Those of the catalog as they are written for a cgroup. What counts for a package or a whole CPU has none. */
  readonly cgroup?: readonly string[];
}

export const PRESETS = {
  ipc: { catalog: ['CpuCycles', 'CpuInstr'], cgroup: ['{cycles,instructions}'] },
  // Virtual machines have the time stamp counter alone.
  frequency: { events: ['msr/aperf/', 'msr/mperf/', 'msr/tsc/'], needs: ['msr/aperf/', 'msr/mperf/'] },
  cache: {
    catalog: ['CacheRef', 'CacheMisses', 'L1DataReadMiss', 'LLReadHit', 'LLReadMiss'],
    cgroup: ['cache-references', 'cache-misses', 'L1-dcache-load-misses', 'LLC-loads', 'LLC-load-misses'],
  },
  tlb: {
    catalog: ['DataTLBReadHit', 'DataTLBReadMiss', 'InstrTLBReadHit', 'InstrTLBReadMiss'],
    cgroup: ['dTLB-loads', 'dTLB-load-misses', 'iTLB-loads', 'iTLB-load-misses'],
  },
  branch: { catalog: ['BranchInstr', 'BranchMisses'], cgroup: ['branches', 'branch-misses'] },
  topdown: { topdown: true },
  energy: {
    events: [
      // Intel, and AMD's packages; then AMD's cores.
      'power/energy-pkg/',
      'power/energy-cores/',
      'power/energy-ram/',
      'power/energy-gpu/',
      'power/energy-psys/',
      'power_core/energy-core/',
    ],
  },
  membw: {
    events: [
      // Servers from Haswell to Emerald Rapids; since Granite Rapids; clients since Haswell; clients since Tiger Lake.
      'uncore_imc/cas_count_read/',
      'uncore_imc/cas_count_write/',
      'uncore_imc/cas_count_read_sch0/',
      'uncore_imc/cas_count_read_sch1/',
      'uncore_imc/cas_count_write_sch0/',
      'uncore_imc/cas_count_write_sch1/',
      'uncore_imc/data_reads/',
      'uncore_imc/data_writes/',
      'uncore_imc_free_running/data_read/',
      'uncore_imc_free_running/data_write/',
    ],
  },
} as const satisfies Readonly<Record<string, PresetEvents>>;

export type Preset = keyof typeof PRESETS;

const presetOf = (preset: Preset): PresetEvents => PRESETS[preset];

const partsOf = (presets: readonly Preset[]): PresetEvents[] => presets.map(presetOf);

/** The events of event sources that a preset is made of. */
export const presetEvents = (preset: Preset): readonly string[] => presetOf(preset).events ?? [];

/** The presets that can be counted for a cgroup. */
export const CGROUP_PRESETS = (Object.keys(PRESETS) as Preset[]).filter((each) => presetOf(each).cgroup !== undefined);

/** What these count for a cgroup. */
export const presetCgroupEvents = (presets: readonly Preset[]): readonly EventGroup[] =>
  parseEventGroups(partsOf(presets).flatMap(({ cgroup = [] }) => cgroup));

export const presetCatalog = (presets: readonly Preset[]): readonly CatalogEvent[] => {
  const names = partsOf(presets).flatMap(({ catalog = [] }) => catalog);
  return CATALOG.filter(({ name }) => names.includes(name));
};

export const hasTopdown = (presets: readonly Preset[]): boolean =>
  partsOf(presets).some(({ topdown }) => topdown === true);

export const hasEvents = (presets: readonly Preset[]): boolean =>
  partsOf(presets).some(({ events }) => events !== undefined);

/** Whether a PMU of this name, numbered or not, names the event. */
const names = (machine: MachineView, pmu: string, event: string): boolean =>
  machine.pmus.some((each) => isNamed(each, pmu) && machine.eventsOf(each.name).includes(event));

export interface PresetGroups {
  readonly groups: readonly EventGroup[];
  /** Presets of which this machine names nothing, or not what they need. */
  readonly absent: readonly Preset[];
}

/** The events of event sources that presets ask for and that this machine names. */
export function presetGroups(presets: readonly Preset[], machine: MachineView): PresetGroups {
  const absent: Preset[] = [];
  const groups = presets.flatMap((preset) => {
    const events = presetEvents(preset);
    const named = (each: readonly string[]): EventGroup[] =>
      parseEventGroups(each).filter(({ events: [event] }) =>
        names(machine, event?.pmu ?? '', event?.terms[0]?.name ?? ''),
      );
    const { needs = [] } = presetOf(preset);
    const own = named(needs).length === needs.length ? named(events) : [];
    if (events.length > 0 && own.length === 0) absent.push(preset);
    return own;
  });
  return { groups, absent };
}

export interface PresetState {
  readonly preset: Preset;
  /** What it would count here. */
  readonly counts: readonly string[];
}

/** What each preset would count on this machine, as far as its sysfs says. */
export function presetStates(machine: MachineView): PresetState[] {
  const cores = machine.pmus.filter(({ isCore }) => isCore);
  return (Object.keys(PRESETS) as Preset[]).map((preset) => {
    const ofCatalog = cores.length === 0 ? [] : presetCatalog([preset]).map(({ name }) => name);
    const ofSources = presetGroups([preset], machine).groups.flatMap(({ events }) =>
      events.map(({ pmu, label }) => `${pmu}/${label}/`),
    );
    const ofTopdown = hasTopdown([preset])
      ? cores.flatMap(
          ({ name }) => topdownMethod(machine.eventsOf(name))?.events.map((each) => `${name}/${each}/`) ?? [],
        )
      : [];
    return { preset, counts: [...ofCatalog, ...ofSources, ...ofTopdown] };
  });
}
