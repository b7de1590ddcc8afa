import type { Sample, Samples } from './exposition.ts';

/** The values of a figure's lines at one moment; `null` where there is none. */
export type Values = ReadonlyMap<string, number | null>;

/** What one chart shows, and how it is made of two scrapes. */
export interface Figure {
  readonly id: string;
  readonly title: string;
  /** The collector that has to run. */
  readonly collector: string;
  /** The families that are asked for. */
  readonly families: readonly string[];
  readonly unit: 'percent' | 'bytes' | 'bytes/s' | 'ratio';
  /** Whether the lines are parts of a whole, drawn one above the other. */
  readonly stacked: boolean;
  values(before: Samples, now: Samples, seconds: number): Values;
}

type Wanted = (labels: Sample['labels']) => boolean;

const all: Wanted = () => true;

function sum(samples: Samples, family: string, wanted: Wanted = all): number | null {
  const values = (samples.get(family) ?? []).filter(({ labels }) => wanted(labels));
  return values.length === 0 ? null : values.reduce((total, { value }) => total + value, 0);
}

/** How much a counter grew; `null` where it began anew, or is not there. */
function growth(before: number | null, now: number | null): number | null {
  return before === null || now === null || now < before ? null : now - before;
}

const grown = (before: Samples, now: Samples, family: string, wanted: Wanted = all): number | null =>
  growth(sum(before, family, wanted), sum(now, family, wanted));

const over = (amount: number | null, whole: number | null): number | null =>
  amount === null || whole === null || whole <= 0 ? null : amount / whole;

const MODES: readonly (readonly [line: string, modes: readonly string[]])[] = [
  ['user', ['user', 'nice']],
  ['system', ['system']],
  ['interrupts', ['irq', 'softirq']],
  ['waiting for disks', ['iowait']],
  ['stolen', ['steal']],
];

const cpu: Figure = {
  id: 'cpu',
  title: 'CPU time by mode, of all CPUs',
  collector: 'cpu',
  families: ['node_cpu_seconds_total'],
  unit: 'percent',
  stacked: true,
  values(before, now) {
    const family = 'node_cpu_seconds_total';
    const whole = grown(before, now, family);
    const share = (modes: readonly string[]): number | null => {
      const part = over(
        grown(before, now, family, ({ mode = '' }) => modes.includes(mode)),
        whole,
      );
      return part === null ? null : part * 100;
    };
    return new Map(MODES.map(([line, modes]) => [line, share(modes)]));
  },
};

const MEMORY = ['MemTotal', 'MemFree', 'Buffers', 'Cached', 'SReclaimable'] as const;
const memoryFamily = (field: string): string => `node_memory_${field}_bytes`;

const memory: Figure = {
  id: 'memory',
  title: 'Memory',
  collector: 'meminfo',
  families: MEMORY.map(memoryFamily),
  unit: 'bytes',
  stacked: true,
  values(_, now) {
    const [total = null, free = null, ...cached] = MEMORY.map((field) => sum(now, memoryFamily(field)));
    const cache = cached.reduce<number>((bytes, each) => bytes + (each ?? 0), 0);
    const used = total === null || free === null ? null : Math.max(0, total - free - cache);
    return new Map([
      ['used', used],
      ['cache', cache],
      ['free', free],
    ]);
  },
};

/** Two directions of the same traffic. */
function traffic(
  figure: Pick<Figure, 'id' | 'title' | 'collector'>,
  lines: readonly (readonly [line: string, family: string])[],
  wanted: Wanted,
): Figure {
  return {
    ...figure,
    families: lines.map(([, family]) => family),
    unit: 'bytes/s',
    stacked: false,
    values: (before, now, seconds) =>
      new Map(lines.map(([line, family]) => [line, over(grown(before, now, family, wanted), seconds)])),
  };
}

const disk = traffic(
  { id: 'disk', title: 'Disks (dm, md and zram left out)', collector: 'diskstats' },
  [
    ['read', 'node_disk_read_bytes_total'],
    ['written', 'node_disk_written_bytes_total'],
  ],
  ({ device = '' }) => !/^(dm-|md|zram)/.test(device),
);

const network = traffic(
  { id: 'network', title: 'Network (lo, bridges and veth left out)', collector: 'netdev' },
  [
    ['received', 'node_network_receive_bytes_total'],
    ['sent', 'node_network_transmit_bytes_total'],
  ],
  ({ device = '' }) => !/^(lo$|veth|br-|docker|virbr|cni|cali|flannel|lxc)/.test(device),
);

/** More lines than this cannot be told apart. */
const LINES_MAX = 8;

const byNumber = (a: readonly [string, unknown], b: readonly [string, unknown]): number => Number(a[0]) - Number(b[0]);

/** A line for each CPU, or the range of them where there are many. */
function perCpu(ratios: readonly (readonly [cpu: string, ratio: number | null])[]): Values {
  if (ratios.length <= LINES_MAX) return new Map([...ratios].sort(byNumber).map(([id, ratio]) => [`CPU ${id}`, ratio]));
  const sorted = ratios.flatMap(([, ratio]) => ratio ?? []).sort((a, b) => a - b);
  const at = (share: number): number | null => sorted[Math.floor(share * (sorted.length - 1))] ?? null;
  return new Map([
    ['highest CPU', at(1)],
    ['middle CPU', at(0.5)],
    ['lowest CPU', at(0)],
  ]);
}

/** The ratio of two counters of each CPU. */
const ratio = (id: string, title: string, unit: Figure['unit'], over1: string, under: string): Figure => ({
  id,
  title,
  collector: 'perf',
  families: [over1, under],
  unit,
  stacked: false,
  values(before, now) {
    const scale = unit === 'percent' ? 100 : 1;
    const of = (cpuId: string): number | null => {
      const wanted: Wanted = (labels) => labels['cpu'] === cpuId;
      const part = over(grown(before, now, over1, wanted), grown(before, now, under, wanted));
      return part === null ? null : part * scale;
    };
    return perCpu((now.get(under) ?? []).map(({ labels }) => [labels['cpu'] ?? '', of(labels['cpu'] ?? '')]));
  },
});

export const FIGURES: readonly Figure[] = [
  cpu,
  memory,
  disk,
  network,
  ratio('ipc', 'Instructions per cycle', 'ratio', 'node_perf_instructions_total', 'node_perf_cpucycles_total'),
  ratio(
    'cache',
    'Cache misses, of all references',
    'percent',
    'node_perf_cache_misses_total',
    'node_perf_cache_refs_total',
  ),
  ratio(
    'branch',
    'Branch misses, of all branches',
    'percent',
    'node_perf_branch_misses_total',
    'node_perf_branch_instructions_total',
  ),
];

/** The query that scrapes what these figures need, and nothing else. */
export function queryOf(figures: readonly Figure[]): string {
  const collectors = new Set(figures.map(({ collector }) => collector));
  const families = new Set(figures.flatMap((figure) => figure.families));
  return [...[...collectors].map((name) => `collect[]=${name}`), ...[...families].map((name) => `name[]=${name}`)].join(
    '&',
  );
}

const PREFIXES = ['', 'Ki', 'Mi', 'Gi', 'Ti', 'Pi'];

function bytes(value: number): string {
  let scaled = value;
  let place = 0;
  while (scaled >= 1024 && place < PREFIXES.length - 1) {
    scaled /= 1024;
    place += 1;
  }
  return `${scaled >= 100 || place === 0 || Number.isInteger(scaled) ? Math.round(scaled) : scaled.toFixed(1)} ${PREFIXES[place]}B`;
}

/** A value as people read it. */
export function shown(value: number | null | undefined, unit: Figure['unit']): string {
  if (value === null || value === undefined) return '–';
  if (unit === 'percent') return `${value.toFixed(value < 10 && !Number.isInteger(value) ? 1 : 0)} %`;
  if (unit === 'ratio') return value.toFixed(2);
  return unit === 'bytes' ? bytes(value) : `${bytes(value)}/s`;
}
