// Runs inside an arm64 guest with one CPU: known loops in cgroups, as nobody with CAP_PERFMON counts them, sealed and separated,
// beside perf(1).
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import type { ScrapedFamily } from '../exposition.ts';
import { type Keyhole, startAsNobody, tell } from './inside.ts';
import { loopInstructions, loopProgram } from './loop.ts';

const TURNS = 60_000_000;
const TREE = '/sys/fs/cgroup';
const FEW = [
  '--collector.perf.cgroup-include=^/[abc]$',
  '--collector.perf.disable-hardware-profilers',
  '--collector.perf.disable-cache-profilers',
];
const ASKED = [
  ...FEW,
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

/** A script that runs the loop of so many turns in a cgroup. */
function loopScript(cgroup: string, turns: number): string {
  const program = `/tmp/loop-${turns}`;
  writeFileSync(program, loopProgram(turns), { mode: 0o755 });
  return `echo $$ > ${TREE}/${cgroup}/cgroup.procs; exec ${program}`;
}

const loopIn = (cgroup: string, turns: number): void => {
  execFileSync('sh', ['-c', loopScript(cgroup, turns)]);
};

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

/** The counters of perf and of Keyhole have to fit into the PMU together: the groups would take turns else. */
const BESIDE = ['cycles,instructions', 'r8:u,instructions:k'] as const;

/** What perf counts of events for the two cgroups, by both, while loops run there. */
function perfStat(events: string): Record<string, number> {
  const script = ['a', 'b'].map((name, i) => `sh -c '${loopScript(name, TURNS / (4 + 4 * i))}'`).join('; ');
  const args = ['stat', '-x', ';', '-a', '-e', events, '--for-each-cgroup', 'a,b', 'sh', '-c', script];
  const { stderr, error } = spawnSync('perf', args, { encoding: 'utf8' });
  if (error !== undefined) throw error;
  const fields = stderr.split('\n').map((line) => line.split(';'));
  const counts = fields.flatMap(([value, , event, cgroup]) =>
    cgroup === undefined ? [] : [[`/${cgroup} ${event}`, Number(value)] as const],
  );
  if (counts.length === 0) throw new Error(`perf says: ${stderr}`);
  return Object.fromEntries(counts);
}

/** All that is counted for cgroups, as `/a instructions`. */
async function countsOf(keyhole: Keyhole): Promise<Record<string, number>> {
  const scrape = await keyhole.scrape();
  const others = [...(scrape.get('node_perf_cgroup_event_total')?.samples ?? [])].map(([labels, value]) => {
    const [, cgroup, event] = /cgroup="([^"]*)",event="([^"]*)"/.exec(labels) ?? [];
    return [`${cgroup} ${event}`, value] as const;
  });
  const plain = (['cycles', 'instructions'] as const).flatMap((event) =>
    Object.entries(byLabel(scrape, `node_perf_cgroup_${event}_total`, 'cgroup')).map(
      ([cgroup, value]) => [`${cgroup} ${event}`, value] as const,
    ),
  );
  return Object.fromEntries([...others, ...plain]);
}

/** By cgroup and event, what perf counted and by how much Keyhole's counts rose meanwhile. */
async function besidePerf(port: number, mode: string): Promise<Record<string, readonly [perf: number, own: number]>> {
  const events = '--collector.perf.cgroup-events={cycles,instructions},{r8:u,instructions:k}';
  const keyhole = await startAsNobody(port, [...FEW, events, `--privilege.mode=${mode}`]);
  const pairs: Record<string, readonly [number, number]> = {};
  for (const asked of BESIDE) {
    const before = await countsOf(keyhole);
    const counted = perfStat(asked);
    const after = await countsOf(keyhole);
    for (const [key, value] of Object.entries(counted)) pairs[key] = [value, (after[key] ?? 0) - (before[key] ?? 0)];
  }
  await keyhole.stop();
  return pairs;
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

  tell({ perf: { sealed: await besidePerf(9103, 'sealed'), separated: await besidePerf(9104, 'separated') } });
}

void main();
