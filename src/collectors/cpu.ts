import { type Collect, defineCollector, type Host } from '../core/collector.ts';
import { alone, eachOf } from '../core/each.ts';
import type { Faults } from '../core/faults.ts';
import { flag } from '../core/flag.ts';
import type { KernelFile, Line, Tree } from '../core/host.ts';
import { counter, gauge } from '../core/metric.ts';
import type { Pattern } from '../core/pattern.ts';
import type { Reading } from '../core/reading.ts';
import { fields } from '../core/text.ts';
import { HZ_OF_MHZ, TICKS_OF_SECOND } from '../core/units.ts';
import type { LayoutWriter, Writer } from '../core/writer.ts';
import { cpuOf } from '../parse/cpu_line.ts';
import { parseCpuinfo } from '../parse/cpuinfo.ts';
import { parseCpulist } from '../parse/cpulist.ts';

const DIR = 'devices/system/cpu';

/** The columns of a CPU's line in `/proc/stat`. */
const MODES = ['user', 'nice', 'system', 'idle', 'iowait', 'irq', 'softirq', 'steal'] as const;
const IDLE = MODES.indexOf('idle');
const GUEST_MODES = ['user', 'nice'] as const;
const COLUMNS = MODES.length + GUEST_MODES.length;

/** An idle time that falls by this much means that the CPU was offline and counts anew. */
const RESTART_TICKS = 3 * TICKS_OF_SECOND;

/** Where the times of a CPU stand, and what they were. */
interface KnownCpu {
  readonly places: readonly number[];
  readonly before: Float64Array;
}

/**
 * Makes counters of the kernel's times: idle and iowait times are estimates that can fall a little. What was higher before is
 * kept, but for a CPU that counts anew.
 */
export function advance(numbers: Float64Array, { places, before }: KnownCpu): void {
  const restarted = (before[IDLE] as number) - (numbers[places[IDLE] as number] ?? 0) >= RESTART_TICKS;
  // Without an iterator, whose pairs were a third of the garbage of a scrape on a large machine.
  for (let i = 0; i < places.length; i += 1) {
    const place = places[i] as number;
    if (!restarted) numbers[place] = Math.max(numbers[place] as number, before[i] as number);
    before[i] = numbers[place] as number;
  }
}

/** The CPUs' lines of `/proc/stat`. A mode that an old kernel has no column for has no time. https://docs.kernel.org/filesystems/proc.html */
function createTimes(proc: Tree, withGuest: boolean): Collect {
  // A CPU that went offline is forgotten.
  let beforeByCpu: ReadonlyMap<string, Float64Array> = new Map();
  let known = new Map<string, KnownCpu>();
  const write = (line: Line, out: LayoutWriter): void => {
    const cpu = cpuOf(line);
    if (cpu === undefined) return;
    const readings: Reading[] = [];
    for (let i = 0; i < COLUMNS && i + 1 < line.length; i += 1) readings.push(line.uint(i + 1));
    if (readings.length === 0) throw line.fault();
    const before = beforeByCpu.get(cpu) ?? new Float64Array(COLUMNS);
    known.set(cpu, { places: readings.map(({ place }) => place), before });
    const seconds = (column: number): Reading | number => readings[column]?.over(TICKS_OF_SECOND) ?? 0;
    for (const [i, mode] of MODES.entries()) out.sample(metrics.seconds, seconds(i), cpu, mode);
    if (!withGuest) return;
    for (const [i, mode] of GUEST_MODES.entries()) out.sample(metrics.guest, seconds(MODES.length + i), cpu, mode);
  };
  return proc.table(
    'stat',
    (lines, out) => {
      beforeByCpu = new Map([...known].map(([cpu, { before }]) => [cpu, before]));
      known = new Map();
      lines.each((line) => write(line, out));
    },
    {
      adjust(numbers) {
        for (const cpu of known.values()) advance(numbers, cpu);
      },
    },
  );
}

/** The words that a pattern lets through, each once; none where there is no pattern. */
const matching = (words: string | undefined, pattern: Pattern | undefined): string[] =>
  pattern === undefined || words === undefined ? [] : [...new Set(fields(words))].filter((word) => pattern.test(word));

const flags = {
  guest: flag.bool('collector.cpu.guest', 'Expose the time that CPUs ran guests.', true),
  info: flag.bool('collector.cpu.info', 'Expose what /proc/cpuinfo says of each CPU.'),
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
    'What /proc/cpuinfo says of the CPU, as labels; always 1.',
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

/** `/proc/cpuinfo` has a paragraph per CPU; of what it says only frequencies change. */
function createInfo({ proc, flags: given, isEnabled }: Host<typeof flags>): Collect {
  const withFrequency = isEnabled('cpufreq');
  const cpuinfo = proc.file('cpuinfo').as(parseCpuinfo);
  return (out) => {
    const { cpus = [], faults = [] } = cpuinfo(out) ?? {};
    for (const cpu of cpus) {
      const { processor, vendor, family, model, modelName, microcode, stepping, cacheSize, frequencyMhz } = cpu;
      const place = [cpu.package, cpu.core, processor] as const;
      out.row(metrics.info, 1, [...place, vendor, family, model, modelName, microcode, stepping, cacheSize]);
      if (withFrequency && frequencyMhz !== undefined)
        out.sample(metrics.frequency, frequencyMhz * HZ_OF_MHZ, ...place);
    }
    for (const word of matching(cpus[0]?.flags, given.flagsInclude)) out.sample(metrics.flag, 1, word);
    for (const word of matching(cpus[0]?.bugs, given.bugsInclude)) out.sample(metrics.bug, 1, word);
    for (const fault of faults) out.fault(fault);
  };
}

/** What sysfs has of a CPU: handles, made when its folder is first seen. */
interface CpuFiles {
  readonly label: string;
  readonly number: number;
  readonly online: KernelFile;
  readonly coreThrottles: KernelFile;
  readonly packageThrottles: KernelFile;
  /** Which physical package and which core of it: it does not change while the kernel runs. */
  place(faults: Faults): Place | undefined;
}

/** Which physical package and which core of it a CPU is. */
interface Place {
  readonly package: string;
  readonly core: string;
  /** Both, as one text. */
  readonly key: string;
}

function openCpu(sys: Tree, name: string): CpuFiles {
  const path = `${DIR}/${name}`;
  const number = Number(name.slice('cpu'.length));
  const [packageId, coreId] = [
    sys.passing(`${path}/topology/physical_package_id`),
    sys.passing(`${path}/topology/core_id`),
  ];
  let place: Place | undefined;
  return {
    label: String(number),
    number,
    online: sys.file(`${path}/online`),
    coreThrottles: sys.file(`${path}/thermal_throttle/core_throttle_count`),
    packageThrottles: sys.file(`${path}/thermal_throttle/package_throttle_count`),
    place(faults) {
      if (place !== undefined) return place;
      const [inPackage, core] = [packageId.number(faults), coreId.number(faults)];
      if (inPackage === undefined || core === undefined || inPackage < 0 || core < 0) return undefined;
      place = { package: String(inPackage), core: String(core), key: `${inPackage} ${core}` };
      return place;
    },
  };
}

/** The folders of the CPUs, in order of their names: `cpu10` before `cpu2`. */
function createCpus(sys: Tree): () => readonly CpuFiles[] {
  const folder = sys.folder(DIR);
  let opened: ReadonlyMap<string, CpuFiles> = new Map();
  let listed: readonly string[] = [];
  let cpus: readonly CpuFiles[] = [];
  return () => {
    const names = folder.names();
    if (names === listed) return cpus;
    listed = names;
    const before = opened;
    const present = names.filter((name) => /^cpu[0-9]+$/.test(name));
    // A CPU that comes back under its number may be another.
    opened = new Map(present.map((name) => [name, before.get(name) ?? openCpu(sys, name)]));
    for (const [name, cpu] of before) if (!opened.has(name)) closeCpu(cpu);
    cpus = [...opened.values()];
    return cpus;
  };
}

function closeCpu({ online, coreThrottles, packageThrottles }: CpuFiles): void {
  for (const file of [online, coreThrottles, packageThrottles]) file.close();
}

/** The CPUs of a core, and the cores of a package, show the same counter: the first that can be read gives it. */
function createThrottles(cpus: () => readonly CpuFiles[]): Collect {
  const seen = new Set<string>();
  const write = (out: Writer, { place, coreThrottles, packageThrottles }: CpuFiles): void => {
    const at = place(out);
    if (at === undefined) return;
    const count = seen.has(at.key) ? undefined : coreThrottles.number(out);
    if (count !== undefined) {
      seen.add(at.key);
      out.sample(metrics.coreThrottles, count, at.package, at.core);
    }
    const packageCount = seen.has(at.package) ? undefined : packageThrottles.number(out);
    if (packageCount === undefined) return;
    seen.add(at.package);
    out.sample(metrics.packageThrottles, packageCount, at.package);
  };
  return (out, turn) => {
    seen.clear();
    return eachOf(
      cpus(),
      turn,
      alone(out, (cpu) => write(out, cpu)),
    );
  };
}

/**
 * A CPU without the file cannot be taken offline by it; the list of all CPUs that are online has it then. Where the first
 * CPU has none, as on most x86 machines, there is nothing to write.
 */
function createOnline(sys: Tree, cpus: () => readonly CpuFiles[]): Collect {
  const list = sys.file(`${DIR}/online`).as((text) => new Set(parseCpulist(text, 'online')));
  return (out, turn) => {
    const all = cpus();
    const first = all[0]?.online;
    if (first === undefined || !(first.tryRead(out) || sys.exists(`${DIR}/cpu${all[0]?.number}/online`)))
      return undefined;
    const isOnline = ({ online, number }: CpuFiles): boolean | undefined => {
      const state = online.number(out);
      return state === undefined ? list(out)?.has(number) : state === 1;
    };
    return eachOf(
      all,
      turn,
      alone(out, (cpu) => {
        const is = isOnline(cpu);
        if (is !== undefined) out.sample(metrics.online, is ? 1 : 0, cpu.label);
      }),
    );
  };
}

function createIsolated(sys: Tree): Collect {
  const isolated = sys
    .settled(`${DIR}/isolated`)
    .as((text) => parseCpulist(text === '(null)\n' ? '' : text, 'isolated').map(String));
  return (out) => {
    for (const cpu of isolated(out) ?? []) out.sample(metrics.isolated, 1, cpu);
  };
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
    const cpus = createCpus(sys);
    return [
      ...(info || implied ? [createInfo(host)] : []),
      createTimes(proc, guest),
      createIsolated(sys),
      createThrottles(cpus),
      createOnline(sys, cpus),
    ];
  },
});
