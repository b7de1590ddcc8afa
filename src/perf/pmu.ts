import { optional, ParseError } from '../core/errors.ts';
import type { Tree } from '../core/host.ts';
import { autoBigint, float, uint } from '../core/text.ts';
import { parseCpulist } from '../parse/cpulist.ts';
import { PERF_TYPE_RAW } from './catalog.ts';

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

const DEVICES = 'bus/event_source/devices';

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
      const number = autoBigint(value);
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

/** Puts a term's value into the bits of its field. Throws where it has more bits than the field. */
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

/** What `perf_event_attr` takes for these terms; `fieldOf` gives the field of a term's name. */
export function encode(terms: readonly Term[], fieldOf: (name: string) => Field | undefined, file = 'event'): Config {
  const words = { config: 0n, config1: 0n, config2: 0n };
  for (const { name, value } of terms) {
    const word = WORDS.find((each) => each === name);
    const field = fieldOf(name) ?? (word === undefined ? undefined : { word, ranges: [[0, 63] as const] });
    if (field === undefined || value < 0n || !place(words, field, value))
      throw new ParseError(file, `${name}=0x${value.toString(16)}`);
  }
  return words;
}

export interface PmuEvent extends Config {
  /** What a count is to be multiplied by. */
  readonly scale: number;
  /** As the kernel writes it; empty where there is none. */
  readonly unit: string;
}

/** What an event source says of one of its events; `undefined` where it has none of the name. */
export function readPmuEvent(sys: Tree, pmu: string, event: string): PmuEvent | undefined {
  const path = `${DEVICES}/${pmu}/events/${event}`;
  const text = sys.attribute(path);
  if (text === undefined || /\.(scale|unit|snapshot|per-pkg)$/.test(event)) return undefined;
  const file = sys.path(path);
  const fieldOf = (name: string): Field | undefined => {
    const format = `${DEVICES}/${pmu}/format/${name}`;
    const found = sys.attribute(format);
    return found === undefined ? undefined : parseField(found, sys.path(format));
  };
  const config = encode(parseTerms(text, file), fieldOf, file);
  const scaleText = sys.attribute(`${path}.scale`);
  const scale = scaleText === undefined ? 1 : float(scaleText);
  if (scale === undefined || !Number.isFinite(scale) || scale <= 0)
    throw new ParseError(`${file}.scale`, scaleText ?? '');
  return { ...config, scale, unit: sys.attribute(`${path}.unit`) ?? '' };
}

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
