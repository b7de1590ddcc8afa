// What a scrape of perf counters costs, against Debian's node_exporter with the same flags in the same run.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { parseCpulist } from '../src/parse/cpulist.ts';
import { lacksPackages, notRoot } from '../test/helpers/debian.ts';
import { type Exporter, KEYHOLE, startExporter } from '../test/helpers/exporter.ts';
import type { Claim } from './claim.ts';
import { median } from './cpu.ts';

const ROUNDS = 9;
const SCRAPES = 60;
const WARM_SCRAPES = 300;
const TRACED_SCRAPES = 20;
const ATTACH_MS = 1000;
const DURATION = /^node_scrape_collector_duration_seconds\{collector="perf"\} (\S+)$/m;

const cpus = (): number => parseCpulist(readFileSync('/sys/devices/system/cpu/online', 'utf8'), 'online').length;

async function scrapes({ url }: Exporter, count: number): Promise<void> {
  for (let i = 0; i < count; i += 1) await (await fetch(`${url}/metrics`)).arrayBuffer();
}

/** How long the collector says that it took, the median of many scrapes. */
async function durationUs(exporter: Exporter): Promise<number> {
  const all: number[] = [];
  for (let i = 0; i < SCRAPES; i += 1) {
    const [, seconds] = DURATION.exec(await exporter.scrape()) ?? [];
    all.push(Number(seconds) * 1e6);
  }
  return median(all);
}

/** Reads of perf events for each scrape and CPU. */
async function countReads(exporter: Exporter): Promise<number> {
  const strace = spawn('strace', ['-f', '-y', '-e', 'trace=read,pread64', '-p', String(exporter.child.pid)], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let text = '';
  strace.stderr.on('data', (chunk) => {
    text += chunk;
  });
  const ended = once(strace, 'close');
  await delay(ATTACH_MS);
  text = '';
  await scrapes(exporter, TRACED_SCRAPES);
  strace.kill('SIGINT');
  await ended;
  const reads = text
    .split('\n')
    .filter((line) => line.includes('anon_inode:[perf_event]') && !line.includes('resumed'));
  return reads.length / TRACED_SCRAPES / cpus();
}

/** Measures both exporters with all default profilers that exist here. */
async function compare<T>(measure: (keyhole: Exporter, reference: Exporter) => Promise<T>) {
  const lacking = notRoot() || lacksPackages('prometheus-node-exporter', 'strace');
  if (lacking !== false) return { skipped: lacking };
  const args = ['--collector.disable-defaults', '--collector.perf'];
  const [keyhole, reference] = [
    await startExporter(KEYHOLE, args),
    await startExporter(['prometheus-node-exporter'], args),
  ];
  try {
    return await measure(keyhole, reference);
  } finally {
    await Promise.all([keyhole.stop(), reference.stop()]);
  }
}

export const claims: readonly Claim[] = [
  {
    says: 'A scrape reads perf events at most a fifth as often for each CPU as prometheus-node-exporter.',
    atMost: 0.2,
    measure: () =>
      compare(async (keyhole, reference) => {
        const [own, theirs] = [await countReads(keyhole), await countReads(reference)];
        return { ratio: own / theirs, detail: `${own.toFixed(2)} and ${theirs.toFixed(2)} reads a CPU` };
      }),
  },
  {
    says: 'The perf collector takes at most 80% of the time of that of prometheus-node-exporter.',
    atMost: 0.8,
    measure: () =>
      compare(async (keyhole, reference) => {
        await Promise.all([scrapes(keyhole, WARM_SCRAPES), scrapes(reference, WARM_SCRAPES)]);
        const rounds: { own: number; theirs: number }[] = [];
        for (let round = 0; round < ROUNDS; round += 1)
          rounds.push({ own: await durationUs(keyhole), theirs: await durationUs(reference) });
        const own = median(rounds.map((round) => round.own));
        const theirs = median(rounds.map((round) => round.theirs));
        const each = [own, theirs].map((us) => (us / cpus()).toFixed(0)).join(' and ');
        return { ratio: own / theirs, detail: `${each} us a CPU, medians of ${ROUNDS} rounds of ${SCRAPES}` };
      }),
  },
];
