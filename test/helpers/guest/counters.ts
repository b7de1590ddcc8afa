// Runs inside an arm64 guest with one CPU: what Keyhole counts while a known loop runs, alone and among 24 other counters.
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { PERF_TYPE_HARDWARE } from '../../../src/perf/catalog.ts';
import { enableGroup, NO_GROUP, openEvent } from '../../../src/perf/perf_event.ts';
import { byCpu, startKeyhole, tell } from './inside.ts';
import { loopInstructions, loopProgram } from './loop.ts';

const TURNS = 500_000_000;
const PORT = 9100;
const LOOP = '/tmp/loop';
const FAMILIES = {
  cycles: 'node_perf_cpucycles_total',
  instructions: 'node_perf_instructions_total',
  enabled: 'node_perf_group_enabled_seconds_total',
  running: 'node_perf_group_running_seconds_total',
} as const;

type Seen = Record<keyof typeof FAMILIES, number>;

async function main(): Promise<void> {
  writeFileSync(LOOP, loopProgram(TURNS), { mode: 0o755 });
  const hardware = [
    '--collector.perf.hardware-profilers=CpuCycles,CpuInstr',
    '--collector.perf.disable-cache-profilers',
  ];
  const keyhole = await startKeyhole(PORT, [...hardware, '--collector.perf.disable-software-profilers']);
  const see = async (): Promise<Seen> => {
    const scrape = await keyhole.scrape();
    const values = Object.entries(FAMILIES).map(([name, family]) => [name, byCpu(scrape, family)['0'] ?? Number.NaN]);
    return Object.fromEntries(values) as Seen;
  };
  const minus = (a: Seen, b: Seen): Seen => ({
    cycles: a.cycles - b.cycles,
    instructions: a.instructions - b.instructions,
    enabled: a.enabled - b.enabled,
    running: a.running - b.running,
  });
  /** What the loop alone adds: a scrape costs instructions too, so that of a run without it is taken off. */
  const measure = async (): Promise<{ loop: Seen; empty: Seen; whole: Seen }> => {
    const before = await see();
    execFileSync('/bin/true');
    const between = await see();
    execFileSync(LOOP);
    const after = await see();
    const [empty, whole] = [minus(between, before), minus(after, between)];
    return { loop: minus(whole, empty), empty, whole };
  };
  await see();
  const alone = await measure();
  tell({ expected: loopInstructions(TURNS), alone });
  for (let i = 0; i < 24; i += 1)
    enableGroup(openEvent({ type: PERF_TYPE_HARDWARE, config: BigInt(i % 2), excludeHv: true }, 0, NO_GROUP));
  await see();
  tell({ crowded: await measure(), status: await keyhole.stop(), log: keyhole.log() });
}

void main();
