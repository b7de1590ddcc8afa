// Kernel files of a large machine, made up: every value follows from its place and from how often the machine has ticked.
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

export interface Size {
  readonly cpus: number;
  readonly disks: number;
  readonly interfaces: number;
}

/** The collectors that are on by default and find their files here. */
export const COLLECTORS = [
  'cpu',
  'cpufreq',
  'diskstats',
  'loadavg',
  'meminfo',
  'netdev',
  'schedstat',
  'softnet',
  'stat',
  'vmstat',
];

const MEMORY = [
  'MemTotal',
  'MemFree',
  'MemAvailable',
  'Buffers',
  'Cached',
  'SwapCached',
  'Active',
  'Inactive',
  'Dirty',
];
const VM = ['pgpgin', 'pgpgout', 'pswpin', 'pswpout', 'pgfault', 'pgmajfault', 'oom_kill', 'nr_free_pages', 'nr_dirty'];
const NET_HEADER = [
  'Inter-|   Receive                                                |  Transmit',
  ' face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed',
].join('\n');

const list = <T>(count: number, each: (index: number) => T): T[] => Array.from({ length: count }, (_, i) => each(i));
const lines = (count: number, each: (index: number) => string): string =>
  list(count, (index) => `${each(index)}\n`).join('');

export class LargeMachine {
  readonly #folder: string;
  readonly #size: Size;
  #ticks = 0;

  constructor(folder: string, size: Size) {
    this.#folder = folder;
    this.#size = size;
    chmodSync(folder, 0o755);
    mkdirSync(join(folder, 'udev'));
    this.#writeStill();
    this.tick();
  }

  /** Flags that show it to an exporter. */
  get args(): string[] {
    const paths = [
      ['procfs', 'proc'],
      ['sysfs', 'sys'],
      ['udev.data', 'udev'],
    ].map(([flag, folder]) => `--path.${flag}=${join(this.#folder, folder as string)}`);
    const chosen = COLLECTORS.map((name) => `--collector.${name}`);
    // Over netlink they would tell of the machine that this runs on.
    return [...paths, '--collector.disable-defaults', ...chosen, '--no-collector.netdev.netlink'];
  }

  /** A second passes: most of its counters move. */
  tick(): void {
    this.#ticks += 1;
    const { cpus, disks, interfaces } = this.#size;
    this.#write('proc/stat', this.#stat());
    this.#write(
      'proc/schedstat',
      `version 15\ntimestamp ${4_300_000_000 + this.#ticks * 250}\n${lines(cpus, (cpu) => `cpu${cpu} 0 0 0 0 0 0 ${this.#row(cpu, 3)}`)}`,
    );
    // The 13th column is the number of the CPU, which stands: what is shown of a CPU would come and go with it.
    const hex = (cpu: number): string =>
      list(15, (k) => (k === 12 ? cpu : this.#count(cpu, k)).toString(16).padStart(8, '0').slice(-8)).join(' ');
    this.#write('proc/net/softnet_stat', lines(cpus, hex));
    this.#write(
      'proc/diskstats',
      lines(disks, (i) => ` 259 ${i} nvme${i}n1 ${this.#row(i, 17)}`),
    );
    this.#write('proc/net/dev', `${NET_HEADER}\n${lines(interfaces, (i) => `  veth${i}: ${this.#row(i, 16)}`)}`);
    this.#write('proc/meminfo', MEMORY.map((name, k) => `${name}: ${this.#count(k, k)} kB\n`).join(''));
    this.#write('proc/vmstat', VM.map((name, k) => `${name} ${this.#count(k, k)}\n`).join(''));
    this.#write('proc/loadavg', `${(this.#ticks % 400) / 4} 11.00 9.99 3/4567 ${89_012 + this.#ticks}\n`);
    for (let cpu = 0; cpu < cpus; cpu += 1) this.#writeFrequency(cpu);
  }

  /** Grows with every tick for two of three; the rest stands, as many counters do. */
  #count(index: number, k: number): number {
    return ((index * 7919 + k * 104_729) % 9_999_991) + (k % 3 === 2 ? 0 : this.#ticks * (17 + (index % 13)));
  }

  #row(index: number, columns: number): string {
    return list(columns, (k) => this.#count(index, k)).join(' ');
  }

  #stat(): string {
    const { cpus } = this.#size;
    return [
      `cpu  ${list(10, (k) => list(cpus, (cpu) => this.#count(cpu, k)).reduce((a, b) => a + b)).join(' ')}`,
      ...list(cpus, (cpu) => `cpu${cpu} ${this.#row(cpu, 10)}`),
      `intr 123456789 ${list(600, (i) => (i % 7 === 0 ? this.#count(i, 3) : 0)).join(' ')}`,
      `ctxt ${9_000_000_000 + this.#ticks * 999}`,
      'btime 1790000000',
      `processes ${1_000_000 + this.#ticks}`,
      'procs_running 3',
      'procs_blocked 0',
      `softirq 999999 ${this.#row(1, 10)}\n`,
    ].join('\n');
  }

  #writeFrequency(cpu: number): void {
    const khz = 2_400_000 + ((cpu * 37 + this.#ticks * 1000) % 900_000);
    this.#write(`sys/devices/system/cpu/cpufreq/policy${cpu}/scaling_cur_freq`, `${khz}\n`);
  }

  #write(path: string, text: string): void {
    writeFileSync(join(this.#folder, path), text);
  }

  /** What does not move. */
  #writeStill(): void {
    const { cpus, disks } = this.#size;
    const put = (path: string, text: string | number): void => {
      mkdirSync(dirname(join(this.#folder, path)), { recursive: true });
      this.#write(path, `${text}\n`);
    };
    mkdirSync(join(this.#folder, 'proc/net'), { recursive: true });
    const all = 'sys/devices/system/cpu';
    put(`${all}/online`, `0-${cpus - 1}`);
    for (const name of ['offline', 'isolated']) put(`${all}/${name}`, '');
    for (let cpu = 0; cpu < cpus; cpu += 1) {
      const own = {
        'topology/physical_package_id': cpu >> 8,
        'topology/core_id': cpu & 127,
        'thermal_throttle/core_throttle_count': cpu % 3,
        'thermal_throttle/package_throttle_count': 5,
        online: 1,
      };
      for (const [name, value] of Object.entries(own)) put(`${all}/cpu${cpu}/${name}`, value);
      const policy = {
        cpuinfo_min_freq: 400_000,
        cpuinfo_max_freq: 3_700_000,
        cpuinfo_cur_freq: 2_400_000,
        scaling_min_freq: 400_000,
        scaling_max_freq: 3_700_000,
        scaling_governor: 'schedutil',
        scaling_available_governors: 'performance schedutil',
        scaling_driver: 'amd-pstate-epp',
        related_cpus: cpu,
      };
      for (const [name, value] of Object.entries(policy)) put(`${all}/cpufreq/policy${cpu}/${name}`, value);
    }
    for (let disk = 0; disk < disks; disk += 1) put(`sys/block/nvme${disk}n1/queue/rotational`, 0);
  }
}
