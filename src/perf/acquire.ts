import type { Acquired, Host } from '../core/collector.ts';
import { messageOf } from '../core/errors.ts';
import type { Tree } from '../core/host.ts';
import { NotYet } from '../core/not_yet.ts';
import { parseCpulist } from '../parse/cpulist.ts';
import { openTree } from '../source/source.ts';
import { isInitialUserNamespace } from '../syscall/capability.ts';
import { parseFilesMax, readAccess } from './access.ts';
import type { CatalogEvent } from './catalog.ts';
import { type CgroupOpening, type OpenedCgroups, openCgroups } from './cgroup_open.ts';
import { chooseCgroups, findCgroups, findCgroupTree } from './cgroup_tree.ts';
import { uniqueGroups } from './event_text.ts';
import { describeGroups, type PackagePlace, type PerfFacts, verdictsOf } from './facts.ts';
import type { perfFlags } from './grammar.ts';
import { perfKernel } from './kernel.ts';
import { openBatches, type PerfKernel } from './open.ts';
import { cpusToCount, plan } from './plan.ts';
import { planEvents } from './plan_events.ts';
import type { MachineView, Missing, PerfKind, Plan } from './planned.ts';
import { encodeTerms, eventsOf, readPmus } from './pmu.ts';
import {
  hasEvents,
  hasTopdown,
  type Preset,
  presetCatalog,
  presetCgroupEvents,
  presetEvents,
  presetGroups,
} from './presets.ts';
import { readTracepointId } from './tracefs.ts';

export type PerfHost = Host<typeof perfFlags>;

/** Descriptors that are left to the server, to files of other collectors and to whatever else. */
const FILES_RESERVED = 192;

export const readOnline = (sys: Tree): number[] => {
  const file = 'devices/system/cpu/online';
  return parseCpulist(sys.read(file), sys.path(file));
};

/** What the flags ask for. Presets stand in the place of lists that are not given. */
function catalogAsked({ flags, isGiven }: Pick<PerfHost, 'flags' | 'isGiven'>): readonly CatalogEvent[] {
  const ofPresets = presetCatalog(flags.presets);
  const pick = (kind: 'hardware' | 'cache'): readonly CatalogEvent[] =>
    flags.presets.length > 0 && !isGiven(kind) ? ofPresets.filter((each) => each.kind === kind) : flags[kind];
  return [
    ...(flags.noHardware ? [] : pick('hardware')),
    ...(flags.noCache ? [] : pick('cache')),
    ...(flags.noSoftware ? [] : flags.software),
  ];
}

/** The kinds of counters that are asked for. */
export function kindsAsked(host: PerfHost): PerfKind[] {
  const { tracepoints, events, presets, cgroupInclude } = host.flags;
  const others: readonly (readonly [kind: PerfKind, isAsked: boolean])[] = [
    ['tracepoint', tracepoints.length > 0],
    ['event', events.length > 0 || hasEvents(presets)],
    ['topdown', hasTopdown(presets)],
    ['cgroup', cgroupInclude !== undefined],
  ];
  const kinds = new Set<PerfKind>(catalogAsked(host).map(({ kind }) => kind));
  for (const [kind, isAsked] of others) if (isAsked) kinds.add(kind);
  return [...kinds];
}

/** The machine, by its sysfs and tracefs. */
export function viewMachine(sys: Tree, online: readonly number[]): MachineView {
  const proc = openTree('/proc');
  const known = new Map<string, readonly string[]>();
  return {
    online,
    pmus: readPmus(sys),
    encode: (pmu, terms) => encodeTerms(sys, pmu, terms),
    eventsOf(pmu) {
      const names = known.get(pmu) ?? eventsOf(sys, pmu);
      known.set(pmu, names);
      return names;
    },
    capability: (pmu, name) => sys.attribute(`bus/event_source/devices/${pmu}/caps/${name}`),
    readTracepointId: ({ subsystem, event }) => readTracepointId(proc, openTree, subsystem, event),
  };
}

/** Where a package's counters count, by the CPU that they are read through. */
function placeReader(sys: Tree): (cpu: number) => PackagePlace {
  const attribute = (cpu: number, name: string): string =>
    sys.attribute(`devices/system/cpu/cpu${cpu}/topology/${name}`) ?? '0';
  return (cpu) => ({ package: attribute(cpu, 'physical_package_id'), die: attribute(cpu, 'die_id') });
}

const NAMES_SHOWN = 3;

function missingPresets(absent: readonly Preset[]): Missing[] {
  return absent.map((preset) => {
    const some = presetEvents(preset).slice(0, NAMES_SHOWN).join(', ');
    return {
      kind: 'event',
      pmu: '',
      event: preset,
      why: `this machine does not name the preset's events (${some}, …)`,
    };
  });
}

/** What the flags say, and the tree that names the machine's events. */
export type PerfAsked = Pick<PerfHost, 'flags' | 'isGiven' | 'sys'>;

/** What is to be opened but for cgroups. */
function planAll(asked: PerfAsked, machine: MachineView): Plan {
  const { flags } = asked;
  const ofPresets = presetGroups(flags.presets, machine);
  const planned = plan(
    {
      cpus: flags.cpus,
      catalog: catalogAsked(asked),
      tracepoints: flags.tracepoints,
      events: [...flags.events, ...ofPresets.groups],
      topdown: hasTopdown(flags.presets),
    },
    machine,
  );
  return { batches: planned.batches, missing: [...planned.missing, ...missingPresets(ofPresets.absent)] };
}

export interface FilesPlanned {
  /** But for cgroups. */
  readonly counters: number;
  readonly eachCgroup: number;
}

/** How many descriptors the counters take that the flags ask for. */
export function planFiles(asked: PerfAsked, machine: MachineView): FilesPlanned {
  const filesOf = ({ batches }: Plan): number =>
    batches.reduce((files, { events, cpus }) => files + events.length * cpus.length, 0);
  const cpus = cpusToCount(asked.flags.cpus, machine.online);
  return { counters: filesOf(planAll(asked, machine)), eachCgroup: filesOf(planCgroups(asked, machine, cpus)) };
}

/** What can be opened for a cgroup, of those events that are asked for. */
function planCgroups(host: PerfAsked, machine: MachineView, cpus: readonly number[]): Plan {
  const { cgroupEvents, cgroupPresets } = host.flags;
  const groups = uniqueGroups([...cgroupEvents, ...presetCgroupEvents(cgroupPresets)]);
  return planEvents(groups, { cpus, machine, kind: 'cgroup' });
}

const NO_TREE: Missing = {
  kind: 'cgroup',
  pmu: '',
  event: 'cgroup',
  why: 'there is no tree of cgroups below the sys file system (--path.sysfs): mount it at fs/cgroup',
};

function acquireCgroups(host: PerfHost, machine: MachineView, kernel: PerfKernel, fdMax: number) {
  const { cgroupInclude: include } = host.flags;
  const root = findCgroupTree(host.sys);
  const nothing: OpenedCgroups = { held: [], cgroups: [], refused: [], unopened: [] };
  if (include === undefined) return { ...nothing, missing: [] };
  if (root === undefined) return { ...nothing, missing: [NO_TREE] };
  const { batches, missing } = planCgroups(host, machine, cpusToCount(host.flags.cpus, machine.online));
  const { paths } = findCgroups(root, include, host.flags.cgroupDepth);
  const { chosen } = chooseCgroups(root, paths, [], host.flags.cgroupMax);
  return { ...openCgroups({ kernel, fdMax, batches }, chosen), missing };
}

const filesMax = (): number => parseFilesMax(openTree('/proc').readOnce('self/limits'));

/** How a cgroup that came later is opened; `undefined` where there is no tree of them. */
export function laterCgroups(host: PerfHost): CgroupOpening | undefined {
  const root = findCgroupTree(host.sys);
  if (root === undefined) return undefined;
  const online = readOnline(host.sys);
  const { batches } = planCgroups(host, viewMachine(host.sys, online), cpusToCount(host.flags.cpus, online));
  return { kernel: perfKernel(root), fdMax: filesMax() - FILES_RESERVED, batches };
}

/** What kept `acquirePerf` from opening anything, if it did not even come to be refused. */
export function faultOf(acquired: Acquired | undefined): string | undefined {
  if (acquired?.facts === undefined || acquired.facts === null) return 'no counters were opened at the start';
  return (acquired.facts as { readonly fault?: string }).fault;
}

/** A kernel that can close what it has opened and nobody has taken. */
function undoable(kernel: PerfKernel): { readonly kernel: PerfKernel; undo(): void } {
  const open = new Set<number>();
  return {
    kernel: {
      ...kernel,
      open(...words) {
        const fd = kernel.open(...words);
        open.add(fd);
        return fd;
      },
      close(fd) {
        open.delete(fd);
        kernel.close(fd);
      },
    },
    undo() {
      // Members before their leaders.
      for (const fd of [...open].reverse()) kernel.close(fd);
    },
  };
}

/** One group after the other. */
function openAll(host: PerfHost, kernel: PerfKernel): Acquired {
  const { flags, sys } = host;
  const machine = viewMachine(sys, readOnline(sys));
  const planned = planAll(host, machine);
  const access = readAccess({
    proc: openTree('/proc'),
    privileges: kernel.privileges(),
    userNamespace: isInitialUserNamespace() === false,
    hasCorePmu: machine.pmus.some(({ isCore }) => isCore),
  });
  const fdMax = access.filesMax - FILES_RESERVED;
  const opened = openBatches(planned.batches, kernel, fdMax);
  const described = describeGroups(opened.groups, placeReader(sys));
  const ofCgroups = acquireCgroups(host, machine, kernel, fdMax);
  const unopened = [...opened.unopened, ...ofCgroups.unopened];
  const facts: PerfFacts = {
    cpus: cpusToCount(flags.cpus, machine.online),
    groups: described.groups,
    cgroups: ofCgroups.cgroups,
    refusedCgroups: ofCgroups.refused,
    unopened,
    missing: [...planned.missing, ...ofCgroups.missing],
    verdicts: verdictsOf(unopened, access),
  };
  return { held: [...described.held, ...ofCgroups.held], facts };
}

/** Opens every counter that is asked for. What failed is among the facts; it throws only what makes a scrape run again. */
export function acquirePerf(host: PerfHost): Acquired {
  let undo: (() => void) | undefined;
  try {
    const opening = undoable(perfKernel(findCgroupTree(host.sys)));
    undo = opening.undo;
    return openAll(host, opening.kernel);
  } catch (error) {
    undo?.();
    if (error instanceof NotYet) throw error;
    return { held: [], facts: { fault: messageOf(error) } };
  }
}
