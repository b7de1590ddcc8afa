import { optional, ParseError } from '../core/errors.ts';
import type { Tree } from '../core/host.ts';
import { float, uint } from '../core/text.ts';
import { parseCpulist } from '../parse/cpulist.ts';
import { PERF_TYPE_RAW } from './catalog.ts';
import { type TermText, termValue } from './event_text.ts';

/**
 * The machine's event sources, `/sys/bus/event_source/devices/<pmu>/`.
 * https://www.kernel.org/doc/Documentation/ABI/testing/sysfs-bus-event_source-devices-format and …-events
 */
export interface Pmu {
  readonly name: string;
  /** For `perf_event_attr.type`. */
  readonly type: number;
  /** The CPUs that a core PMU counts; missing where it counts all of them. */
  readonly cpus?: readonly number[];
  /** The CPUs to open an uncore PMU's events on, one for each instance; they count for all. */
  readonly cpumask?: readonly number[];
  /** Whether it is the PMU of CPU cores, which the kernel's own hardware events go to. */
  readonly isCore: boolean;
}

/** A pattern as shells have it: `*`, `?`, `[0-3]`, `[!0]`. One that is none stands for itself. */
function globbed(pattern: string): RegExp | undefined {
  if (!/[*?[]/.test(pattern)) return undefined;
  const parts = pattern.replace(/\[(!?)([^\]]+)\]|[^\w]/g, (part, not: string | undefined, set: string | undefined) => {
    if (set !== undefined) return `[${not === '!' ? '^' : ''}${set.replaceAll(/[^\w-]/g, '\\$&')}]`;
    return { '*': '.*', '?': '.' }[part] ?? `\\${part}`;
  });
  try {
    return new RegExp(`^(uncore_)?${parts}$`);
  } catch {
    // As of [9-0].
    return undefined;
  }
}

/**
 * `uncore_imc`, or `imc`, stands for all of `uncore_imc_0`, `uncore_imc_1` and so on, as perf(1) takes it; so do
 * `uncore_imc*` and `uncore_imc_[01]`.
 */
export const isNamed = ({ name }: Pmu, written: string): boolean =>
  globbed(written)?.test(name) ??
  [written, `uncore_${written}`].some(
    (each) => name === each || (name.startsWith(each) && /^_?[0-9]+$/.test(name.slice(each.length))),
  );

const DEVICES = 'bus/event_source/devices';

/** The folder of all PMUs, and that of each, which is a link out of it. */
export const pmuFolders = (sys: Tree): string[] =>
  ['', ...(optional(() => sys.list(DEVICES)) ?? [])].map((name) => sys.path(`${DEVICES}/${name}`));

/** Every PMU, sorted by name. One without a readable type is left out. */
export function readPmus(sys: Tree): Pmu[] {
  const names = optional(() => sys.list(DEVICES)) ?? [];
  return names.flatMap((name) => {
    const type = uint(sys.attribute(`${DEVICES}/${name}/type`));
    if (type === undefined) return [];
    const cpus = cpusIn(sys, `${DEVICES}/${name}/cpus`);
    const cpumask = cpusIn(sys, `${DEVICES}/${name}/cpumask`);
    return [
      {
        name,
        type,
        ...(cpus === undefined ? {} : { cpus }),
        ...(cpumask === undefined ? {} : { cpumask }),
        isCore: cpus !== undefined || type === PERF_TYPE_RAW,
      },
    ];
  });
}

function cpusIn(sys: Tree, path: string): number[] | undefined {
  const text = sys.attribute(path);
  return text === undefined ? undefined : parseCpulist(text, sys.path(path));
}

/** The bits of a configuration word that one term fills, from its lowest bit on. */
export interface Field {
  readonly word: 'config' | 'config1' | 'config2';
  readonly ranges: readonly (readonly [low: number, high: number])[];
}

/** Parses a file of `format/`: `config:0-7,32-35`. */
export function parseField(text: string, file = 'format'): Field {
  const [, word, list] = /^(config[12]?):([0-9,-]+)$/.exec(text.trim()) ?? [];
  const ranges = list?.split(',').map((item): readonly [number, number] => {
    const [, a, b = a] = /^([0-9]+)(?:-([0-9]+))?$/.exec(item) ?? [];
    const low = Number(a ?? Number.NaN);
    const high = Number(b ?? Number.NaN);
    if (!(low <= high && high < 64)) throw new ParseError(file, text);
    return [low, high];
  });
  if (ranges === undefined) throw new ParseError(file, text);
  return { word: word as Field['word'], ranges };
}

export interface Term {
  readonly name: string;
  readonly value: bigint;
}

/** Parses a file of `events/`: `event=0x3c,umask=0x1,edge`. */
export function parseTerms(text: string, file = 'event'): Term[] {
  const terms = text
    .trim()
    .split(',')
    .map((item) => {
      const [, name, value = '1'] = /^([\w.-]+)(?:=(\w+))?$/.exec(item.trim()) ?? [];
      const number = termValue(value);
      // `event=?` and the like are for the user to fill in.
      if (name === undefined || number === undefined) throw new ParseError(file, text);
      return { name, value: number };
    });
  return terms;
}

export interface Config {
  readonly config: bigint;
  readonly config1: bigint;
  readonly config2: bigint;
}

/** Puts a term's value into the bits of its field; `false` where it has more bits than the field. */
function place(words: Record<Field['word'], bigint>, { word, ranges }: Field, value: bigint): boolean {
  let rest = value;
  for (const [low, high] of ranges) {
    const width = BigInt(high - low + 1);
    const mask = (1n << width) - 1n;
    words[word] |= (rest & mask) << BigInt(low);
    rest >>= width;
  }
  return rest === 0n;
}

const WORDS = ['config', 'config1', 'config2'] as const;

export interface PmuEvent extends Config {
  /** What a count is to be multiplied by. */
  readonly scale: number;
  /** As the kernel writes it; empty where there is none. */
  readonly unit: string;
}

/** A term or an event that this PMU does not have. Quotes it, and lists what there is. */
export class UnknownEventError extends Error {
  override readonly name = 'UnknownEventError';
}

const LISTED_MAX = 60;
const NO_EVENT = /\.(scale|unit|snapshot|per-pkg)$/;

/** The events that a PMU names. */
export const eventsOf = (sys: Tree, pmu: string): string[] =>
  (optional(() => sys.list(`${DEVICES}/${pmu}/events`)) ?? []).filter((name) => !NO_EVENT.test(name));

/** perf(1) does not tell capitals from small letters in the names of events; in those of terms it does. */
export const isSameEvent = (a: string, b: string): boolean => a.toLowerCase() === b.toLowerCase();

/** The names of a PMU's terms. */
export const termsOf = (sys: Tree, pmu: string): string[] => optional(() => sys.list(`${DEVICES}/${pmu}/format`)) ?? [];

/** The first of the names, and how many there are besides. */
export function listed(names: readonly string[], most = LISTED_MAX): string {
  const shown = names.slice(0, most).join(', ');
  return names.length > most ? `${shown} and ${names.length - most} more` : shown || 'none';
}

function unknown(sys: Tree, pmu: string, part: string): UnknownEventError {
  const terms = listed([...termsOf(sys, pmu), ...WORDS]);
  return new UnknownEventError(
    `${pmu} has no ${JSON.stringify(part)}; its events: ${listed(eventsOf(sys, pmu))}; its terms: ${terms}`,
  );
}

const widthOf = ({ ranges }: Field): number => ranges.reduce((bits, [low, high]) => bits + high - low + 1, 0);

/** What a file of `events/` says beside its terms. */
function readScale(sys: Tree, path: string): Pick<PmuEvent, 'scale' | 'unit'> {
  const text = sys.attribute(`${path}.scale`);
  const scale = text === undefined ? 1 : float(text);
  if (scale === undefined || !Number.isFinite(scale) || scale <= 0)
    throw new ParseError(`${sys.path(path)}.scale`, text ?? '');
  return { scale, unit: sys.attribute(`${path}.unit`) ?? '' };
}

/**
 * What `perf_event_attr` takes for these terms, by the PMU's `format/` and `events/`. As perf(1) does it: a name that is both
 * is a term, and what is written beside a named event is added to its bits.
 */
export function encodeTerms(sys: Tree, pmu: string, terms: readonly TermText[]): PmuEvent {
  const words = { config: 0n, config1: 0n, config2: 0n };
  let named: Pick<PmuEvent, 'scale' | 'unit'> | undefined;
  const fieldOf = (name: string): Field | undefined => {
    const format = `${DEVICES}/${pmu}/format/${name}`;
    const found = sys.attribute(format);
    if (found !== undefined) return parseField(found, sys.path(format));
    const word = WORDS.find((each) => each === name);
    return word === undefined ? undefined : { word, ranges: [[0, 63]] };
  };
  const put = (name: string, value: bigint): boolean => {
    const field = fieldOf(name);
    if (field === undefined) return false;
    if (!place(words, field, value)) {
      const most = (1n << BigInt(widthOf(field))) - 1n;
      throw new UnknownEventError(
        `${pmu}: ${name}=0x${value.toString(16)} is too large; at most 0x${most.toString(16)}`,
      );
    }
    return true;
  };
  for (const { name, value } of terms) {
    if (put(name, value ?? 1n)) continue;
    const event = value === undefined ? eventsOf(sys, pmu).find((each) => isSameEvent(each, name)) : undefined;
    const path = `${DEVICES}/${pmu}/events/${event}`;
    const text = event === undefined ? undefined : sys.attribute(path);
    if (text === undefined) throw unknown(sys, pmu, name);
    if (named !== undefined) throw new UnknownEventError(`${pmu}: ${name} is a second named event in one`);
    named = readScale(sys, path);
    for (const term of parseTerms(text, sys.path(path)))
      if (!put(term.name, term.value)) throw new ParseError(sys.path(path), text);
  }
  return { ...words, ...(named ?? { scale: 1, unit: '' }) };
}

/**
 * Event sources that record, or put something into the kernel's code, instead of counting; a breakpoint is an address of one
 * process. Tracepoints have a flag of their own.
 */
const NOT_COUNTING =
  /^(intel_pt|intel_bts|ibs_fetch|ibs_op|arm_spe_.*|cs_etm|coresight.*|hisi_ptt.*|kprobe|uprobe|breakpoint|tracepoint)$/;

/** Whether an event source counts. */
export const isCounting = (pmu: string): boolean => !NOT_COUNTING.test(pmu);

/** Units of the kernel's event sources by Prometheus' base unit: its name, and what one of the kernel's is in it. */
const UNITS: Readonly<Record<string, readonly [name: string, factor: number]>> = {
  joules: ['joules', 1],
  bytes: ['bytes', 1],
  kib: ['bytes', 2 ** 10],
  mib: ['bytes', 2 ** 20],
  gib: ['bytes', 2 ** 30],
  kb: ['bytes', 1e3],
  mb: ['bytes', 1e6],
  gb: ['bytes', 1e9],
  ns: ['seconds', 1e-9],
  us: ['seconds', 1e-6],
  ms: ['seconds', 1e-3],
};

/** A kernel's unit as a base unit, and the factor that leads to it. One that is not known stays as it is. */
export function baseUnit(unit: string): readonly [name: string, factor: number] {
  return UNITS[unit.toLowerCase()] ?? [unit, 1];
}
