import { ParseError } from '../core/errors.ts';
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

/** Parses `/proc/cpuinfo` of x86 and ARM. https://docs.kernel.org/filesystems/proc.html */
export function parseCpuinfo(text: string): CpuInfo[] {
  const cpus: Building[] = [];
  for (const line of lines(text)) {
    const end = line.indexOf(': ');
    if (end < 0) continue;
    const key = line.slice(0, end).trim();
    const value = line.slice(end + 2);
    const cpu = cpus.at(-1);
    if (key === 'processor') {
      const number = uint(value);
      if (number === undefined) throw new ParseError('cpuinfo', line);
      cpus.push({ ...NOTHING, processor: String(number) });
    } else if (cpu !== undefined) {
      const textKey = TEXTS.get(key);
      if (textKey !== undefined) cpu[textKey] = value;
      else if (key === 'cpu MHz') cpu.frequencyMhz = parseFrequency(value, line);
    }
  }
  if (cpus.length === 0) throw new ParseError('cpuinfo', text);
  return cpus;
}
