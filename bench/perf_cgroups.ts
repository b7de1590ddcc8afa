// What counting for cgroups costs: a switch between two of them, a scrape, and the memory of the process that opens counters.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { setTimeout as delay } from 'node:timers/promises';
import { optional } from '../src/core/errors.ts';
import { readPmus } from '../src/perf/pmu.ts';
import { openTree } from '../src/source/source.ts';
import { enterCgroup, inCgroup, lacksCgroups, makeCgroup, OWN, removeAll } from '../test/helpers/cgroups.ts';
import { lacksPackages, notRoot } from '../test/helpers/debian.ts';
import { type Exporter, KEYHOLE, startExporter } from '../test/helpers/exporter.ts';
import type { Claim, Measured } from './claim.ts';
import { cpuNs, median } from './cpu.ts';

const COUNTED = [0, 10, 100, 200] as const;
const ROUNDS = 5;
const OPS = 200_000;
const SCRAPES = 50;
const PAIR = ['one', 'two'] as const;

/** Two that every machine has, where it has no PMU: the same work for the kernel, but for the registers. */
const hasPmu = (): boolean => readPmus(openTree('/sys')).some(({ isCore }) => isCore);
const eventsAsked = (): string => (hasPmu() ? '{cycles,instructions}' : '{context-switches,page-faults}');

/** The first cgroups are those that the programs run in. */
async function withCounted<T>(count: number, measure: (exporter: Exporter) => Promise<T>): Promise<T> {
  for (const name of PAIR) makeCgroup(name);
  for (let i = PAIR.length; i < count; i += 1) makeCgroup(`x${i}`);
  const counting = [
    '--collector.perf',
    ...['hardware', 'cache', 'software'].map((kind) => `--collector.perf.disable-${kind}-profilers`),
    `--collector.perf.cgroup-include=^/${OWN}/`,
    `--collector.perf.cgroup-events=${eventsAsked()}`,
    '--privilege.mode=separated',
  ];
  const asked = count === 0 ? ['--collector.loadavg'] : counting;
  const exporter = await startExporter(KEYHOLE, ['--collector.disable-defaults', ...asked]);
  try {
    const counted = /^keyhole_perf_cgroups\{state="counted"\} (\d+)$/m.exec(await exporter.scrape())?.[1] ?? '0';
    if (Number(counted) !== count) throw new Error(`${counted} cgroups are counted, not ${count}: ${exporter.log()}`);
    return await measure(exporter);
  } finally {
    await exporter.stop();
    await removeAll();
  }
}

/** As many counters as 200 cgroups have on a machine with 50 CPUs. */
const OPENED = 20_000;

/** Others take the place of all cgroups, which are opened one by one, until so many counters were. */
async function openMany({ scrape }: Exporter, cgroups: number): Promise<void> {
  const each = cgroups * cpus().length * 2;
  for (let opened = each; opened < OPENED; opened += each) {
    await removeAll();
    for (let i = 0; i < cgroups; i += 1) makeCgroup(`x${i}`);
    await scrape();
  }
}

const childOf = (pid: number): number =>
  Number(optional(() => readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim()) ?? 0);

/** `0m1.25s 0m0.50s`: what the children of a shell have used, in user space and in the kernel. */
const TIMES = /(\d+)m([\d.]+)s (\d+)m([\d.]+)s\s*$/;

/**
 * Microseconds of CPU for each of the two switches of an operation: two programs on one CPU hand a byte to and fro. What else the
 * machine does does not count.
 */
async function switchUs(): Promise<number> {
  const script = `taskset -c 0 perf bench -f simple sched pipe -l ${OPS}; times`;
  const [program, ...args] = inCgroup(PAIR[0], script);
  const bench = spawn(program, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  let text = '';
  bench.stdout.on('data', (chunk) => {
    text += chunk;
  });
  const ended = once(bench, 'close');
  const second = (): number => childOf(childOf(bench.pid as number));
  while (bench.exitCode === null && second() === 0) await delay(1);
  enterCgroup(PAIR[1], second());
  await ended;
  const [, ...parts] = TIMES.exec(text) ?? [];
  const [minutes = Number.NaN, seconds = 0, more = 0, rest = 0] = parts.map(Number);
  const used = (minutes + more) * 60 + seconds + rest;
  if (!(used > 0)) throw new Error(`perf bench says: ${text}`);
  return (used * 1e6) / (2 * OPS);
}

async function scrapeMs({ scrape, child: { pid = 0 } }: Exporter): Promise<number> {
  for (let i = 0; i < SCRAPES; i += 1) await scrape();
  const before = cpuNs(pid);
  for (let i = 0; i < SCRAPES; i += 1) await scrape();
  return (cpuNs(pid) - before) / SCRAPES / 1e6;
}

/** Its share of what is shared, too. */
const memoryMib = (pid: number): number =>
  Number(/^Pss:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, 'latin1'))?.[1]) / 1024;

const lacks = (): string | false => notRoot() || lacksCgroups() || lacksPackages('linux-perf', 'util-linux');

/** The medians of a few rounds, in each of which everything is measured once. */
async function byCount(measure: (exporter: Exporter) => Promise<number>): Promise<Map<number, number>> {
  const all = new Map<number, number[]>(COUNTED.map((count) => [count, []]));
  for (let round = 0; round < ROUNDS; round += 1)
    for (const [count, values] of all) values.push(await withCounted(count, measure));
  return new Map([...all].map(([count, values]) => [count, median(values)]));
}

function compared(values: ReadonlyMap<number, number>, [of, to]: readonly [number, number], unit: string): Measured {
  const detail = [...values].map(([count, value]) => `${count}: ${value.toFixed(2)} ${unit}`).join(', ');
  const ratio = (values.get(of) as number) / (values.get(to) as number);
  return { ratio, detail: `${detail} (${eventsAsked()}, medians of ${ROUNDS} rounds)` };
}

export const claims: readonly Claim[] = [
  {
    says: 'A switch between two cgroups takes at most this much of its CPU time without counters, with 100 counted cgroups.',
    atMost: 2,
    async measure() {
      const skipped = lacks();
      if (skipped !== false) return { skipped };
      const times = await byCount(() => switchUs());
      const rates = [...times].map(([count, us]) => `${count}: ${Math.round(1e6 / us)}/s`).join(', ');
      const result = compared(times, [100, 0], 'us');
      return { ...result, detail: `${result.detail}; switches ${rates}` };
    },
  },
  {
    says: 'A scrape with 200 counted cgroups takes at most this much of the CPU time of one with 10.',
    atMost: 6,
    async measure() {
      const skipped = lacks();
      return skipped === false ? compared(await byCount(scrapeMs), [200, 10], 'ms') : { skipped };
    },
  },
  {
    says: 'The process that opens counters takes at most the memory of the one that serves.',
    atMost: 1,
    async measure() {
      const skipped = lacks();
      if (skipped !== false) return { skipped };
      return withCounted(200, async (exporter) => {
        await openMany(exporter, 200);
        const { pid = 0 } = exporter.child;
        const [own, opener] = [memoryMib(pid), memoryMib(childOf(pid))];
        return {
          ratio: opener / own,
          detail: `${opener.toFixed(0)} and ${own.toFixed(0)} MiB (PSS), after ${OPENED} counters`,
        };
      });
    },
  },
];
