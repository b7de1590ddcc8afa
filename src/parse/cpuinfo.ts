import { ParseError, parsed, unlessOdd } from '../core/errors.ts';
import { float, lines, uint } from '../core/text.ts';

/** One CPU of `/proc/cpuinfo`, as the kernel words it. What an architecture does not tell is empty, or `undefined`. */
export interface CpuInfo {
  /** Its number, in decimal. */
  readonly processor: string;
  readonly package: string;
  readonly core: string;
  readonly vendor: string;
  readonly family: string;
  readonly model: string;
  readonly modelName: string;
  readonly microcode: string;
  readonly stepping: string;
  readonly cacheSize: string;
  /** Words with blanks between them. */
  readonly flags: string;
  readonly bugs: string;
  readonly frequencyMhz: number | undefined;
}

type Building = { -readonly [K in keyof CpuInfo]: CpuInfo[K] };

const TEXTS: ReadonlyMap<string, Exclude<keyof CpuInfo, 'processor' | 'frequencyMhz'>> = new Map([
  ['physical id', 'package'],
  ['core id', 'core'],
  ['vendor_id', 'vendor'],
  ['vendor', 'vendor'],
  ['cpu family', 'family'],
  ['model', 'model'],
  ['model name', 'modelName'],
  ['microcode', 'microcode'],
  ['stepping', 'stepping'],
  ['cache size', 'cacheSize'],
  ['flags', 'flags'],
  // As ARM calls them.
  ['Features', 'flags'],
  ['bugs', 'bugs'],
]);

const NOTHING: CpuInfo = {
  processor: '',
  package: '',
  core: '',
  vendor: '',
  family: '',
  model: '',
  modelName: '',
  microcode: '',
  stepping: '',
  cacheSize: '',
  flags: '',
  bugs: '',
  frequencyMhz: undefined,
};

/** The kernel writes `Unknown` where it cannot tell. */
function parseFrequency(value: string, line: string): number | undefined {
  if (value.toLowerCase() === 'unknown') return undefined;
  const frequencyMhz = float(value);
  if (frequencyMhz === undefined) throw new ParseError('cpuinfo', line);
  return frequencyMhz;
}

/** What can be read of `/proc/cpuinfo`, and the lines that cannot. */
export interface Cpuinfo {
  readonly cpus: readonly CpuInfo[];
  readonly faults: readonly ParseError[];
}

/** Parses `/proc/cpuinfo` of x86 and ARM: each CPU begins with its number. https://docs.kernel.org/filesystems/proc.html */
export function parseCpuinfo(text: string): Cpuinfo {
  const cpus: Building[] = [];
  const faults: ParseError[] = [];
  let cpu: Building | undefined;
  const take = (line: string): void => {
    const colon = line.indexOf(':');
    const key = line.slice(0, Math.max(colon, 0)).trim();
    const value = line.slice(colon + 2);
    if (key === 'processor') {
      // What follows is of no CPU that we know, until the next one.
      cpu = undefined;
      cpu = { ...NOTHING, processor: String(parsed(uint(value), 'cpuinfo', line)) };
      cpus.push(cpu);
    } else if (cpu !== undefined) {
      const textKey = TEXTS.get(key);
      // The first counts: were the name `processor` odd, another CPU would follow.
      if (textKey !== undefined) cpu[textKey] ||= value;
      else if (key === 'cpu MHz') cpu.frequencyMhz ??= parseFrequency(value, line);
    }
  };
  for (const line of lines(text)) unlessOdd(faults, () => take(line));
  if (cpus.length === 0 && faults.length === 0) throw new ParseError('cpuinfo', text);
  return { cpus, faults };
}
