// Runs inside an arm64 guest with one CPU: known loops in cgroups, as nobody with CAP_PERFMON counts them, sealed and separated.
import { execFileSync } from 'node:child_process';
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import type { ScrapedFamily } from '../exposition.ts';
import { type Keyhole, startAsNobody, tell } from './inside.ts';
import { loopInstructions, loopProgram } from './loop.ts';

const TURNS = 60_000_000;
const TREE = '/sys/fs/cgroup';
const ASKED = [
  '--collector.perf.cgroup-include=^/[abc]$',
  '--collector.perf.disable-hardware-profilers',
  '--collector.perf.disable-cache-profilers',
  '--collector.perf.events=instructions:u,instructions:k,r8:u,armv8_pmuv3/inst_retired/u,{cycles:u,instructions:u}',
];

type Scrape = ReadonlyMap<string, ScrapedFamily>;

const byLabel = (scrape: Scrape, family: string, label: string): Record<string, number> =>
  Object.fromEntries(
    [...(scrape.get(family)?.samples ?? [])].map(([labels, value]) => [
      new RegExp(`${label}="([^"]*)"`).exec(labels)?.[1] ?? labels,
      value,
    ]),
  );

/** Runs the loop of so many turns in a cgroup. */
function loopIn(cgroup: string, turns: number): void {
  const program = `/tmp/loop-${turns}`;
  writeFileSync(program, loopProgram(turns), { mode: 0o755 });
  execFileSync('sh', ['-c', `echo $$ > ${TREE}/${cgroup}/cgroup.procs; exec ${program}`]);
}

async function see(keyhole: Keyhole) {
  const scrape = await keyhole.scrape();
  return {
    cycles: byLabel(scrape, 'node_perf_cgroup_cycles_total', 'cgroup'),
    instructions: byLabel(scrape, 'node_perf_cgroup_instructions_total', 'cgroup'),
    events: byLabel(scrape, 'node_perf_event_total', 'event'),
    missing: byLabel(scrape, 'node_perf_event_missing', 'event'),
    states: byLabel(scrape, 'keyhole_perf_cgroups', 'state'),
  };
}

async function main(): Promise<void> {
  execFileSync('mount', ['-t', 'cgroup2', 'none', TREE]);
  // Until some controller is switched on, the kernel gives perf_event to no cgroup but the root; an init program always does.
  writeFileSync(`${TREE}/cgroup.subtree_control`, '+pids');
  // Debian's kernel asks for more than CAP_PERFMON at its default level.
  writeFileSync('/proc/sys/kernel/perf_event_paranoid', '2');
  tell({ sources: readdirSync('/sys/bus/event_source/devices') });
  for (const name of ['a', 'b']) mkdirSync(`${TREE}/${name}`);
  tell({ expected: loopInstructions(TURNS) });
  const sealed = await startAsNobody(9101, ASKED);
  const before = await see(sealed);
  loopIn('a', TURNS);
  loopIn('b', TURNS / 2);
  tell({ sealed: { before, after: await see(sealed) }, sealedLog: sealed.log() });
  await sealed.stop();

  const separated = await startAsNobody(9102, [...ASKED, '--privilege.mode=separated']);
  await see(separated);
  mkdirSync(`${TREE}/c`);
  const first = await see(separated);
  loopIn('c', TURNS);
  tell({ separated: { before: first, after: await see(separated) }, separatedLog: separated.log() });
  tell({ status: await separated.stop() });
}

void main();
