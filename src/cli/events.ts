import { parseFlags } from '../core/flag.ts';
import { readOnline, viewMachine } from '../perf/acquire.ts';
import { cgroupLabel, findCgroups, findCgroupTree } from '../perf/cgroup_tree.ts';
import { genericNames } from '../perf/generic_events.ts';
import { isShared } from '../perf/plan_events.ts';
import { isCounting, type Pmu, termsOf } from '../perf/pmu.ts';
import { type PresetState, presetStates } from '../perf/presets.ts';
import { openTree } from '../source/source.ts';
import { HELPS } from './command_helps.ts';
import type { Command } from './commands.ts';
import { commandFlags, programFlags } from './flags.ts';

const eventsFlags = {
  json: commandFlags.json,
  help: commandFlags.help,
  sysfs: programFlags.sysfs,
} as const;

/** What an event source counts for: `cpu` for each CPU, `package` for a package or a part of it, `nothing` where it records, or has a flag of its own. */
type Scope = 'cpu' | 'package' | 'nothing';

interface Source {
  readonly pmu: string;
  readonly scope: Scope;
  /** As they are written for --collector.perf.events. */
  readonly events: readonly string[];
  readonly terms: readonly string[];
  /** Open files for one event of it. */
  readonly files: number;
}

export interface EventsReport {
  readonly generic: readonly string[];
  readonly sources: readonly Source[];
  readonly presets: readonly PresetState[];
  readonly cgroupTree: string | null;
  /** The paths that --collector.perf.cgroup-include is held against, down to the default depth. */
  readonly cgroups: readonly string[];
}

const scopeOf = (pmu: Pmu): Scope => (!isCounting(pmu.name) ? 'nothing' : isShared(pmu) ? 'package' : 'cpu');

const DEPTH = 4;

/** Reads it from sysfs. */
function eventsReport(sysfs: string): EventsReport {
  const sys = openTree(sysfs);
  const online = readOnline(sys);
  const machine = viewMachine(sys, online);
  const root = findCgroupTree(sys);
  const every = { source: '', test: () => true };
  const filesOf = (pmu: Pmu): number => {
    const cpus = isShared(pmu) ? pmu.cpumask : pmu.cpus;
    return cpus === undefined ? online.length : cpus.filter((cpu) => online.includes(cpu)).length;
  };
  return {
    generic: genericNames,
    sources: machine.pmus.map((pmu) => ({
      pmu: pmu.name,
      scope: scopeOf(pmu),
      events: machine.eventsOf(pmu.name).map((event) => `${pmu.name}/${event}/`),
      terms: termsOf(sys, pmu.name),
      files: filesOf(pmu),
    })),
    presets: presetStates(machine),
    cgroupTree: root ?? null,
    cgroups: root === undefined ? [] : findCgroups(root, every, DEPTH).paths.map(cgroupLabel),
  };
}

const SHOWN_MAX = 20;
const WIDTH = 24;

const some = (names: readonly string[], none: string): string => {
  const shown = names.slice(0, SHOWN_MAX).join(', ');
  return names.length > SHOWN_MAX ? `${shown} and ${names.length - SHOWN_MAX} more` : shown || none;
};

const row = (name: string, text: string): string =>
  `  ${name.length < WIDTH ? name.padEnd(WIDTH) : `${name}  `}${text}`;

/** For people. */
function eventsText({ generic, sources, presets, cgroupTree, cgroups }: EventsReport): string {
  const scopes: Readonly<Record<Scope, string>> = {
    cpu: 'counts for each CPU',
    package: 'counts for a package or a part of it',
    nothing: 'not for events',
  };
  return [
    'Events that the kernel names on every machine (cycles, L1-dcache-load-misses and the like where the PMU has them)',
    row('', some(generic, 'none')),
    '',
    'Event sources of this machine',
    ...sources.flatMap(({ pmu, scope, events, terms, files }) => [
      row(pmu, scope === 'nothing' ? scopes[scope] : `${scopes[scope]}, ${files} open files for an event`),
      ...(scope === 'nothing'
        ? []
        : [row('', `events: ${some(events, 'none')}`), row('', `terms: ${some(terms, 'none')}`)]),
    ]),
    '',
    'Presets',
    ...presets.map(({ preset, counts }) => row(preset, some(counts, 'nothing that this machine names'))),
    '',
    'Cgroups',
    row(cgroupTree ?? 'none', cgroupTree === null ? 'no tree of them that perf events know' : some(cgroups, 'empty')),
    '',
  ].join('\n');
}

/** `argv` is what follows the word. Answers what is to be written. */
export function events(argv: readonly string[]): string {
  const parsed = parseFlags(argv, Object.values(eventsFlags));
  if (parsed.valueOf(eventsFlags.help)) return HELPS.events;
  const report = eventsReport(parsed.valueOf(eventsFlags.sysfs));
  return parsed.valueOf(eventsFlags.json) ? `${JSON.stringify(report, null, 2)}\n` : eventsText(report);
}

/** `keyhole events` */
export const eventsCommand: Command = async (argv, { write }) => {
  write(events(argv));
  return 0;
};
