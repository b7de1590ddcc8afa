import { defineCollector, type Host, type Turn } from '../core/collector.ts';
import { errnoOf, optional, ParseError, parsed } from '../core/errors.ts';
import { flag } from '../core/flag.ts';
import type { Tree } from '../core/host.ts';
import { counter, gauge } from '../core/metric.ts';
import type { Pattern } from '../core/pattern.ts';
import { fields, lines, uint } from '../core/text.ts';
import type { Writer } from '../core/writer.ts';
import { type CpuFolder, cpuFolders } from '../parse/cpu_folders.ts';
import { parseCpuinfo } from '../parse/cpuinfo.ts';
import { parseCpulist } from '../parse/cpulist.ts';

const DIR = 'devices/system/cpu';

/** What `sysconf(_SC_CLK_TCK)` gives on every architecture that Node runs on. */
const USER_HZ = 100;

/** The columns of a CPU's line in `/proc/stat`. */
const MODES = ['user', 'nice', 'system', 'idle', 'iowait', 'irq', 'softirq', 'steal'] as const;
const IDLE = MODES.indexOf('idle');
const GUEST_MODES = ['user', 'nice'] as const;
const COLUMNS = MODES.length + GUEST_MODES.length;

/** An idle time that falls by this much means that the CPU was offline and counts anew. */
const RESTART_TICKS = 3 * USER_HZ;

export interface CpuTimes {
  readonly cpu: string;
  /** 1/100 s by column: `MODES`, then guest and guest_nice. A mode that an old kernel has no column for has no time. */
  readonly ticks: readonly number[];
}

/** Parses the CPUs' lines of `/proc/stat`. https://docs.kernel.org/filesystems/proc.html */
export function parseCpuTimes(text: string): CpuTimes[] {
  const all: CpuTimes[] = [];
  for (const line of lines(text)) {
    if (!/^cpu[0-9]/.test(line)) continue;
    const [name = '', ...columns] = fields(line);
    const number = uint(name.slice('cpu'.length));
    if (number === undefined || columns.length === 0) throw new ParseError('stat', line);
    const ticks = new Array<number>(COLUMNS).fill(0);
    for (const [i, column] of columns.slice(0, COLUMNS).entries()) ticks[i] = parsed(uint(column), 'stat', line);
    all.push({ cpu: String(number), ticks });
  }
  return all;
}

/**
 * Makes counters of the kernel's times: idle and iowait times are estimates that can fall a little. What was higher before is
 * kept, but for a CPU that counts anew.
 */
export function advance(
  before: ReadonlyMap<string, readonly number[]>,
  times: readonly CpuTimes[],
): Map<string, readonly number[]> {
  const after = new Map<string, readonly number[]>();
  for (const { cpu, ticks } of times) {
    const known = before.get(cpu);
    const restarted = known === undefined || (known[IDLE] ?? 0) - (ticks[IDLE] ?? 0) >= RESTART_TICKS;
    after.set(cpu, restarted ? ticks : ticks.map((value, i) => Math.max(value, known[i] ?? 0)));
  }
  return after;
}

/** Which physical package and which core of it a CPU is. */
interface Place {
  readonly package: string;
  readonly core: string;
}

/** A number of a CPU's folder; `undefined` for what is absent, cannot be read, or is not an unsigned integer. */
function readUint(sys: Tree, path: string): number | undefined {
  try {
    return uint(sys.read(path).trim());
  } catch (error) {
    if (errnoOf(error) === undefined) throw error;
    return undefined;
  }
}

/** Where a CPU is does not change while the kernel runs: it is read once. */
function createTopology(sys: Tree): (folder: string) => Place | undefined {
  const known = new Map<string, Place>();
  return (folder) => {
    const before = known.get(folder);
    if (before !== undefined) return before;
    const packageId = readUint(sys, `${folder}/topology/physical_package_id`);
    const coreId = readUint(sys, `${folder}/topology/core_id`);
    if (packageId === undefined || coreId === undefined) return undefined;
    const place = { package: String(packageId), core: String(coreId) };
    known.set(folder, place);
    return place;
  };
}

/** The words that a pattern lets through, each once; none where there is no pattern. */
const matching = (words: string | undefined, pattern: Pattern | undefined): string[] =>
  pattern === undefined || words === undefined ? [] : [...new Set(fields(words))].filter((word) => pattern.test(word));

const flags = {
  guest: flag.bool('collector.cpu.guest', 'Expose the time that CPUs ran guests.', true),
  info: flag.bool('collector.cpu.info', 'Expose what /proc/cpuinfo tells of each CPU.'),
  flagsInclude: flag.regexp(
    'collector.cpu.info.flags-include',
    'Pattern of CPU flags to expose; turns collector.cpu.info on.',
  ),
  bugsInclude: flag.regexp(
    'collector.cpu.info.bugs-include',
    'Pattern of CPU bugs to expose; turns collector.cpu.info on.',
  ),
} as const;

const metrics = {
  seconds: counter('node_cpu_seconds_total', 'How long the CPU has been in the mode since boot.', 'cpu', 'mode'),
  guest: counter(
    'node_cpu_guest_seconds_total',
    'Time that the CPU ran guests; it is in the modes user and nice too.',
    'cpu',
    'mode',
  ),
  info: gauge(
    'node_cpu_info',
    'What /proc/cpuinfo tells of the CPU, as labels; always 1.',
    'package',
    'core',
    'cpu',
    'vendor',
    'family',
    'model',
    'model_name',
    'microcode',
    'stepping',
    'cachesize',
  ),
  frequency: gauge('node_cpu_frequency_hertz', 'Frequency at which the CPU runs.', 'package', 'core', 'cpu'),
  flag: gauge('node_cpu_flag_info', 'A flag that the first CPU has; always 1.', 'flag'),
  bug: gauge('node_cpu_bug_info', 'A bug that the first CPU has; always 1.', 'bug'),
  coreThrottles: counter(
    'node_cpu_core_throttles_total',
    'How often the core was slowed down for heat.',
    'package',
    'core',
  ),
  packageThrottles: counter(
    'node_cpu_package_throttles_total',
    'How often the package was slowed down for heat.',
    'package',
  ),
  isolated: gauge('node_cpu_isolated', 'A CPU that the scheduler leaves alone; always 1.', 'cpu'),
  online: gauge('node_cpu_online', 'Whether the CPU is online.', 'cpu'),
} as const;

function collectInfo(out: Writer, { proc, flags: given, isEnabled }: Host<typeof flags>): void {
  const cpus = parseCpuinfo(proc.read('cpuinfo'));
  const withFrequency = isEnabled('cpufreq');
  for (const cpu of cpus) {
    const { processor, vendor, family, model, modelName, microcode, stepping, cacheSize, frequencyMhz } = cpu;
    const place = [cpu.package, cpu.core, processor] as const;
    out.row(metrics.info, 1, [...place, vendor, family, model, modelName, microcode, stepping, cacheSize]);
    if (withFrequency && frequencyMhz !== undefined) out.sample(metrics.frequency, frequencyMhz * 1e6, ...place);
  }
  for (const word of matching(cpus[0]?.flags, given.flagsInclude)) out.sample(metrics.flag, 1, word);
  for (const word of matching(cpus[0]?.bugs, given.bugsInclude)) out.sample(metrics.bug, 1, word);
}

function collectTimes(out: Writer, times: ReadonlyMap<string, readonly number[]>, withGuest: boolean): void {
  for (const [cpu, ticks] of times) {
    for (const [i, value] of ticks.entries()) {
      const mode = MODES[i];
      if (mode !== undefined) out.sample(metrics.seconds, value / USER_HZ, cpu, mode);
      else if (withGuest) out.sample(metrics.guest, value / USER_HZ, cpu, GUEST_MODES[i - MODES.length] as string);
    }
  }
}

/** The CPUs of a core, and the cores of a package, show the same counter: the first that can be read tells it. */
async function collectThrottles(
  out: Writer,
  sys: Tree,
  placeOf: (folder: string) => Place | undefined,
  turn: Turn,
): Promise<void> {
  const told = new Set<string>();
  for (const { path } of cpuFolders(sys)) {
    await turn.pause();
    const place = placeOf(path);
    if (place === undefined) continue;
    const core = `${place.package} ${place.core}`;
    const coreCount = told.has(core) ? undefined : readUint(sys, `${path}/thermal_throttle/core_throttle_count`);
    if (coreCount !== undefined) {
      told.add(core);
      out.sample(metrics.coreThrottles, coreCount, place.package, place.core);
    }
    const packageCount = told.has(place.package)
      ? undefined
      : readUint(sys, `${path}/thermal_throttle/package_throttle_count`);
    if (packageCount !== undefined) {
      told.add(place.package);
      out.sample(metrics.packageThrottles, packageCount, place.package);
    }
  }
}

/**
 * A CPU without the file cannot be taken offline by it; the list of all CPUs that are online tells of it then. Where the first
 * CPU has none, as on most x86 machines, there is nothing to tell.
 */
async function collectOnline(out: Writer, sys: Tree, turn: Turn): Promise<void> {
  const folders = cpuFolders(sys);
  const read = ({ path }: CpuFolder): string | undefined => optional(() => sys.read(`${path}/online`).trim());
  if (read(folders[0] as CpuFolder) === undefined) return;
  const list = new Set(parseCpulist(optional(() => sys.read(`${DIR}/online`)) ?? '', 'online'));
  for (const folder of folders) {
    await turn.pause();
    const text = read(folder);
    const online = text === undefined ? list.has(folder.number) : text === '1';
    out.sample(metrics.online, online ? 1 : 0, String(folder.number));
  }
}

export default defineCollector({
  name: 'cpu',
  help: 'Exposes the time that CPUs spend in each mode, what they are, and how often heat slowed them down.',
  enabled: true,
  reads: [
    '/proc/stat',
    '/proc/cpuinfo',
    '/sys/devices/system/cpu/isolated',
    '/sys/devices/system/cpu/online',
    '/sys/devices/system/cpu/<cpu>/online',
    '/sys/devices/system/cpu/<cpu>/topology/{core_id,physical_package_id}',
    '/sys/devices/system/cpu/<cpu>/thermal_throttle/{core_throttle_count,package_throttle_count}',
  ],
  flags,
  metrics,
  setup(host) {
    const { proc, sys, log } = host;
    const { guest, info, flagsInclude, bugsInclude } = host.flags;
    const implied = flagsInclude !== undefined || bugsInclude !== undefined;
    if (implied && !info) log.info('collector.cpu.info is on, since a pattern of CPU flags or bugs is given');
    const placeOf = createTopology(sys);
    let times: ReadonlyMap<string, readonly number[]> = new Map();
    return async (out, turn) => {
      if (info || implied) collectInfo(out, host);
      times = advance(times, parseCpuTimes(proc.read('stat')));
      collectTimes(out, times, guest);
      const isolated = optional(() => sys.read(`${DIR}/isolated`));
      for (const cpu of parseCpulist(isolated ?? '', 'isolated')) out.sample(metrics.isolated, 1, String(cpu));
      await collectThrottles(out, sys, placeOf, turn);
      await collectOnline(out, sys, turn);
    };
  },
});
