// Runs inside a guest with two CPUs: scrapes without a pause while the second comes and goes, and holds every answer against it.
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { byCpu, type Keyhole, startKeyhole, tell } from './inside.ts';

const ONLINE = '/sys/devices/system/cpu/cpu1/online';
const COLLECTORS = ['cpu', 'cpufreq', 'interrupts', 'schedstat', 'softirqs', 'softnet', 'stat'];
/** Families that have series of the CPUs that are online, and of no others. */
const BY_CPU = ['node_cpu_seconds_total', 'node_perf_context_switches_total', 'node_softnet_processed_total'];
/** Files of a folder that was slow, as all are on a busy machine, may be a second old. */
const FRESH_MS = 1100;
const CHANGE_SHARE = 0.3;

const seconds = Number(/\bsoak=(\d+)/.exec(readFileSync('/proc/cmdline', 'latin1'))?.[1] ?? 30);

interface Taken {
  readonly descriptors: number;
  readonly threads: number;
}

const takenBy = ({ child: { pid } }: Keyhole): Taken => ({
  descriptors: readdirSync(`/proc/${pid}/fd`).length,
  threads: readdirSync(`/proc/${pid}/task`).length,
});

async function soak(keyhole: Keyhole) {
  const wrong: string[] = [];
  const before: Record<string, number> = {};
  let [isOnline, changedAt, changes, scrapes] = [true, 0, 0, 0];
  const change = (): void => {
    isOnline = !isOnline;
    changes += 1;
    writeFileSync(ONLINE, isOnline ? '1' : '0');
    changedAt = performance.now();
  };
  const check = async (): Promise<void> => {
    const isSettled = performance.now() - changedAt > FRESH_MS;
    const scrape = await keyhole.scrape();
    for (const [labels, value] of scrape.get('node_scrape_collector_success')?.samples ?? [])
      if (value !== 1) wrong.push(`${scrapes}: ${labels} failed`);
    for (const family of BY_CPU) {
      const found = byCpu(scrape, family);
      const cpus = Object.keys(found).join();
      if (isSettled ? cpus !== (isOnline ? '0,1' : '0') : !cpus.startsWith('0'))
        wrong.push(`${scrapes}: ${family} of ${cpus} while ${isOnline ? '0,1' : '0'}`);
      for (const [cpu, value] of Object.entries(found)) {
        const key = `${family} ${cpu}`;
        if (value < (before[key] ?? 0)) wrong.push(`${scrapes}: ${key} falls from ${before[key]} to ${value}`);
        before[key] = value;
      }
    }
    scrapes += 1;
  };
  await check();
  const first = takenBy(keyhole);
  for (const endsAt = performance.now() + seconds * 1000; performance.now() < endsAt; ) {
    if (Math.random() < CHANGE_SHARE) change();
    // Half of the changes are left to settle.
    if (Math.random() < 0.5) await delay(FRESH_MS);
    await check();
  }
  if (!isOnline) change();
  await delay(FRESH_MS);
  await check();
  return { scrapes, changes, wrong: wrong.slice(0, 20), first, last: takenBy(keyhole) };
}

async function main(): Promise<void> {
  const flags = COLLECTORS.map((name) => `--collector.${name}`);
  const keyhole = await startKeyhole(9101, [...flags, '--privilege.mode=retained', '--collector.timeout=60s']);
  tell({ soak: await soak(keyhole), log: keyhole.log() });
  tell({ status: await keyhole.stop() });
}

void main();
