import { UsageError } from '../core/errors.ts';
import { type Flag, flag } from '../core/flag.ts';
import { CATALOG, type CatalogEvent, type CatalogKind } from './catalog.ts';
import { type EventGroup, parseEventGroups } from './event_text.ts';
import { CGROUP_PRESETS, PRESETS, type Preset } from './presets.ts';

/** What the perf flags take. Everything that cannot be used is a `UsageError` that quotes it. */

export interface TracepointName {
  readonly subsystem: string;
  readonly event: string;
  /** The number given with it, for where tracefs cannot be read. */
  readonly id?: number;
}

const items = (texts: readonly string[]): string[] =>
  texts
    .flatMap((text) => text.split(','))
    .map((text) => text.trim())
    .filter((text) => text !== '');

const listFlag = <T>(name: string, help: string, parse: (texts: readonly string[]) => T): Flag<T> => ({
  ...flag.texts(name, help),
  parse,
});

/** Beyond any CONFIG_NR_CPUS: a wrong range cannot make a giant list. */
const CPU_MAX = 65535;

function cpuRange(text: string): { first: number; last: number; step: number } | undefined {
  const [, a, b = a, c = '1'] = /^([0-9]+)(?:-([0-9]+)(?::([0-9]+))?)?$/.exec(text) ?? [];
  if (a === undefined) return undefined;
  const [first, last, step] = [Number(a), Number(b), Number(c)];
  return first <= last && last <= CPU_MAX && step >= 1 ? { first, last, step } : undefined;
}

/** `0,2-6`, `1-10:5`. `undefined` where nothing is given: all that are online. */
export function parseCpus(text: string): readonly number[] | undefined {
  if (text.trim() === '') return undefined;
  const cpus = new Set<number>();
  for (const item of text.split(',')) {
    const range = cpuRange(item.trim());
    if (range === undefined)
      throw new UsageError(
        `cannot use ${JSON.stringify(text)}; CPUs are written as in '0,2-6' or '1-10:5' (every fifth)`,
      );
    for (let cpu = range.first; cpu <= range.last; cpu += range.step) cpus.add(cpu);
  }
  return [...cpus].sort((a, b) => a - b);
}

/** Names of one kind: comma lists, repeated or not. None given means all. */
export function parseProfilers(kind: CatalogKind, texts: readonly string[]): readonly CatalogEvent[] {
  const known = CATALOG.filter((each) => each.kind === kind);
  const names = items(texts);
  const unknown = names.filter((name) => !known.some((each) => each.name === name));
  if (unknown.length > 0) {
    const list = known.map(({ name }) => name).join(', ');
    throw new UsageError(`unknown ${kind} profiler ${JSON.stringify(unknown[0])}; known are ${list}`);
  }
  return names.length === 0 ? known : known.filter(({ name }) => names.includes(name));
}

const unique = <T>(all: readonly T[], key: (each: T) => string): T[] => [
  ...new Map(all.map((each) => [key(each), each])).values(),
];

/** `sched:sched_switch`, or with its number `sched:sched_switch=314`. */
export function parseTracepoints(texts: readonly string[]): readonly TracepointName[] {
  const parsed = items(texts).map((text): TracepointName => {
    const [, subsystem, event, id] = /^([\w-]+):([\w-]+)(?:=([0-9]{1,9}))?$/.exec(text) ?? [];
    if (subsystem === undefined || event === undefined)
      throw new UsageError(`cannot use ${JSON.stringify(text)}; a tracepoint is written as in 'sched:sched_switch'`);
    return { subsystem, event, ...(id === undefined ? {} : { id: Number(id) }) };
  });
  return unique(parsed, ({ subsystem, event }) => `${subsystem}:${event}`);
}

/** Names of presets: comma lists, repeated or not. */
export function parsePresets(
  texts: readonly string[],
  known: readonly Preset[] = Object.keys(PRESETS) as Preset[],
): readonly Preset[] {
  const names = items(texts);
  const unknown = names.find((name) => !known.some((each) => each === name));
  if (unknown !== undefined)
    throw new UsageError(`unknown preset ${JSON.stringify(unknown)}; known are ${known.join(', ')}`);
  return known.filter((each) => names.includes(each));
}

const CGROUP_EVENTS = '{cycles,instructions}';

const atLeastOne = (flagged: Flag<number>): Flag<number> => ({
  ...flagged,
  parse: (texts) => {
    const number = flagged.parse(texts);
    if (number < 1) throw new UsageError(`${JSON.stringify(texts[0])} is less than 1`);
    return number;
  },
});

const profilers = (kind: CatalogKind): Flag<readonly CatalogEvent[]> => {
  const [first, second] = CATALOG.filter((each) => each.kind === kind) as [CatalogEvent, CatalogEvent];
  return listFlag(
    `collector.perf.${kind}-profilers`,
    `The ${kind} counters to open, as in ${first.name},${second.name}; all by default. Repeatable.`,
    (texts) => parseProfilers(kind, texts),
  );
};

export const perfFlags = {
  cpus: {
    ...flag.text('collector.perf.cpus', 'CPUs to count on, as in 0,2-6 or 1-10:5; all that are online by default.'),
    parse: (texts: readonly string[]) => parseCpus(texts[0] ?? ''),
  } as Flag<readonly number[] | undefined>,
  tracepoints: listFlag(
    'collector.perf.tracepoint',
    'A tracepoint to count, as in sched:sched_switch, or sched:sched_switch=314 where tracefs cannot be read. Repeatable.',
    parseTracepoints,
  ),
  noHardware: flag.bool('collector.perf.disable-hardware-profilers', 'Open no hardware counters.'),
  hardware: profilers('hardware'),
  noSoftware: flag.bool('collector.perf.disable-software-profilers', 'Open no software counters.'),
  software: profilers('software'),
  noCache: flag.bool('collector.perf.disable-cache-profilers', 'Open no cache counters.'),
  cache: profilers('cache'),
  events: listFlag(
    'collector.perf.events',
    'Other events, written as perf does: instructions:u, r01c0, power/energy-pkg/, {cycles,instructions}:k. Repeatable.',
    parseEventGroups,
  ),
  presets: listFlag(
    'collector.perf.presets',
    `Events for a question, as far as this machine names them, in place of all hardware and cache counters: ${Object.keys(PRESETS).join(', ')}. Repeatable.`,
    parsePresets,
  ),
  cgroupInclude: flag.regexp(
    'collector.perf.cgroup-include',
    'Regexp of the cgroups to count for, by their paths as in /kubepods.slice/kubepods-burstable.slice; none by default.',
  ),
  cgroupDepth: atLeastOne(
    flag.int('collector.perf.cgroup-depth', 'How many levels of cgroups below the root are looked at.', 4),
  ),
  cgroupMax: atLeastOne(flag.int('collector.perf.cgroup-max', 'For how many cgroups to count at most.', 200)),
  cgroupEvents: {
    ...flag.texts(
      'collector.perf.cgroup-events',
      'What to count for a cgroup, written as in --collector.perf.events. Repeatable.',
      [CGROUP_EVENTS],
    ),
    parse: parseEventGroups,
  } as Flag<readonly EventGroup[]>,
  cgroupPresets: listFlag(
    'collector.perf.cgroup-presets',
    `Presets to count for a cgroup beside these events: ${CGROUP_PRESETS.join(', ')}. Repeatable.`,
    (texts) => parsePresets(texts, CGROUP_PRESETS),
  ),
  onHotplug: flag.choice(
    'collector.perf.on-hotplug',
    'What a sealed process does when a CPU comes whose counters it cannot open: leave it out, or end to be started again.',
    ['drop', 'exit'],
    'drop',
  ),
} as const;
