// Runs inside a guest with two CPUs of which the second comes and goes: what each mode tells of it.

import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { byCpu, type Keyhole, startKeyhole, tell } from './inside.ts';

const ONLINE = '/sys/devices/system/cpu/cpu1/online';
const COUNTS = 'node_perf_context_switches_total';

/** Files of a folder that was slow, as all are on a busy machine, may be a second old. */
const FRESH_MS = 1100;
/** Long enough for a scrape to be little beside it. */
const SPAN_MS = 5000;
const setOnline = async (isOnline: boolean): Promise<void> => {
  writeFileSync(ONLINE, isOnline ? '1' : '0');
  await delay(FRESH_MS);
};

/** Opening counters again takes seconds under emulation. */
const start = (port: number, args: readonly string[]): Promise<Keyhole> =>
  startKeyhole(port, [...args, '--collector.timeout=60s']);

/** The CPUs that have series, and those told as covered or not. */
async function look(keyhole: Keyhole): Promise<string> {
  const scrape = await keyhole.scrape();
  const cpus = Object.keys(byCpu(scrape, COUNTS)).join();
  const covered = Object.entries(byCpu(scrape, 'node_perf_cpu_covered')).map(([cpu, value]) => `${cpu}=${value}`);
  return `${cpus} covered ${covered.join()}`;
}

async function sequence(keyhole: Keyhole, steps: readonly boolean[]): Promise<string[]> {
  const seen = [await look(keyhole)];
  for (const isOnline of steps) {
    await setOnline(isOnline);
    seen.push(await look(keyhole));
  }
  return seen;
}

const CGROUPS = '/sys/fs/cgroup';
const OF_CGROUP = ['--collector.perf.cgroup-include=^/busy$', '--collector.perf.cgroup-events=task-clock'];

/** A cgroup that keeps both CPUs busy; the function ends it. */
function startBusy(): () => void {
  execFileSync('mount', ['-t', 'cgroup2', 'none', CGROUPS]);
  // Until some controller is switched on, the kernel gives perf_event to no cgroup but the root.
  writeFileSync(`${CGROUPS}/cgroup.subtree_control`, '+pids');
  mkdirSync(`${CGROUPS}/busy`);
  const script = `echo $$ > ${CGROUPS}/busy/cgroup.procs; while :; do :; done`;
  const children = [0, 1].map(() => spawn('sh', ['-c', script], { stdio: 'ignore' }));
  return () => {
    for (const child of children) child.kill('SIGKILL');
  };
}

/** What the cgroup's tasks have run for, in all CPUs together, and in which state it is. */
async function lookAtCgroup(keyhole: Keyhole): Promise<readonly [seconds: number, counted: number]> {
  const scrape = await keyhole.scrape();
  const [seconds = Number.NaN] = scrape.get('node_perf_cgroup_event_total')?.samples.values() ?? [];
  return [seconds, scrape.get('keyhole_perf_cgroups')?.samples.get('{state="counted"}') ?? Number.NaN];
}

async function sequenceOfCgroup(port: number): Promise<void> {
  const end = startBusy();
  const keyhole = await start(port, [...OF_CGROUP, '--privilege.mode=separated']);
  const seen = [await lookAtCgroup(keyhole)];
  for (const isOnline of [false, true]) {
    await setOnline(isOnline);
    seen.push(await lookAtCgroup(keyhole));
  }
  // With both CPUs again its sum rises faster than the clock.
  const before = Date.now();
  const [first] = await lookAtCgroup(keyhole);
  await delay(SPAN_MS);
  const [last] = await lookAtCgroup(keyhole);
  tell({ cgroup: seen, cpusOfCgroup: ((last - first) * 1000) / (Date.now() - before), cgroupLog: keyhole.log() });
  await keyhole.stop();
  end();
}

async function main(): Promise<void> {
  if (!existsSync(ONLINE)) throw new Error(`no ${ONLINE}`);
  const sealed = await start(9101, []);
  tell({ sealedNew: await sequence(sealed, [true]) });
  await sealed.stop();

  const drop = await start(9102, []);
  tell({ drop: await sequence(drop, [false, true]), log: drop.log() });
  await drop.stop();

  // Off and on between two scrapes: only the dead counters tell.
  const quick = await start(9103, []);
  const before = await look(quick);
  await setOnline(false);
  await setOnline(true);
  tell({ quick: [before, await look(quick)] });
  await quick.stop();

  const retained = await start(9104, ['--privilege.mode=retained']);
  const first = byCpu(await retained.scrape(), COUNTS);
  const seen = await sequence(retained, [false, true]);
  const last = byCpu(await retained.scrape(), COUNTS);
  tell({ retained: seen, rises: Object.keys(last).every((cpu) => (last[cpu] ?? 0) >= (first[cpu] ?? 0)) });
  await retained.stop();

  const separated = await start(9106, ['--privilege.mode=separated']);
  const firstSum = byCpu(await separated.scrape(), COUNTS);
  const steps = await sequence(separated, [false, true]);
  const lastSum = byCpu(await separated.scrape(), COUNTS);
  const isRising = Object.keys(lastSum).every((cpu) => (lastSum[cpu] ?? 0) >= (firstSum[cpu] ?? 0));
  tell({ separated: steps, separatedRises: isRising, separatedLog: separated.log() });
  await separated.stop();

  await sequenceOfCgroup(9107);

  const exit = await start(9105, ['--collector.perf.on-hotplug=exit']);
  await setOnline(false);
  const gone = await look(exit);
  const ended = once(exit.child, 'exit');
  await setOnline(true);
  await exit.scrape().catch(() => undefined);
  const [status] = (await ended) as [number | null];
  tell({ exit: { gone, status, log: exit.log() } });
}

void main();
