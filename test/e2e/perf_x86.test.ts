import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import process from 'node:process';
import { type TestContext, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { lacksPackages, loudly, notRoot } from '../helpers/debian.ts';
import { type Exporter, KEYHOLE, startExporter } from '../helpers/exporter.ts';
import { parseExposition } from '../helpers/exposition.ts';
import { lacksGuest, runGuest } from '../helpers/guest.ts';

const skip = loudly(notRoot() || lacksPackages('linux-perf', 'util-linux'));
const skipCpuset = skip === false && availableParallelism() < 2 ? loudly('a cpuset: one CPU is all there is') : skip;
const ARGS = ['--collector.disable-defaults', '--collector.perf'];

async function start(t: TestContext, args: readonly string[] = [], prefix: readonly string[] = []): Promise<Exporter> {
  const exporter = await startExporter([...prefix, ...KEYHOLE], [...ARGS, ...args]);
  t.after(() => (exporter.child.exitCode === null ? exporter.stop() : undefined));
  return exporter;
}

const sum = (text: string, family: string): number =>
  [...(parseExposition(text).get(family)?.samples.values() ?? [])].reduce((a, b) => a + b, 0);

const EVENTS = {
  'page-faults': 'node_perf_page_faults_total',
  'context-switches': 'node_perf_context_switches_total',
  'minor-faults': 'node_perf_minor_faults_total',
} as const;

/** Something to count on every CPU: pages touched, processes started, turns given up. */
function keepBusy(t: TestContext): void {
  const script = 'while :; do head -c 3000000 /dev/zero | tail -c 1 >/dev/null; done';
  for (let i = 0; i < 2; i += 1) {
    const child = spawn('timeout', ['60', 'sh', '-c', script], { stdio: 'ignore', detached: true });
    t.after(() => process.kill(-(child.pid as number), 'SIGKILL'));
  }
}

const COUNTED_MS = 2000;

/**
 * Scrapes before and after `perf stat -a` counts these families' events, and again while it does: what it has counted lies
 * between, however long its start and its end take.
 */
async function agreesWithPerf(
  t: TestContext,
  exporter: Exporter,
  families: Readonly<Record<string, string>>,
  prefix: readonly string[] = [],
): Promise<void> {
  const stat = [
    'perf',
    'stat',
    '-a',
    '-x,',
    '-e',
    Object.keys(families).join(),
    'sh',
    '-c',
    'echo counting; read line',
  ];
  const [program, ...args] = [...prefix, ...stat] as [string, ...string[]];
  const before = await exporter.scrape();
  const perf = spawn(program, args, { stdio: ['pipe', 'pipe', 'pipe'] });
  const closed = once(perf, 'close');
  let text = '';
  perf.stderr.on('data', (chunk) => {
    text += chunk;
  });
  await once(perf.stdout, 'data');
  const first = await exporter.scrape();
  await delay(COUNTED_MS);
  const last = await exporter.scrape();
  perf.stdin.end('end\n');
  await closed;
  const after = await exporter.scrape();
  const rows = text.split('\n').map((line) => line.split(','));
  for (const [event, family] of Object.entries(families)) {
    const counted = Number(rows.find(([, , name]) => name === event)?.[0]);
    const least = sum(last, family) - sum(first, family);
    const most = sum(after, family) - sum(before, family);
    t.diagnostic(`${event}: perf stat ${counted}, ours ${least} to ${most}`);
    assert.ok(least > 0 && least <= counted && counted <= most, `${event}: ${counted}, not ${least} to ${most}`);
  }
}

test('software counters agree with perf stat -a over the same seconds', { skip }, async (t) => {
  const exporter = await start(t);
  keepBusy(t);
  for (let run = 0; run < 3; run += 1) await agreesWithPerf(t, exporter, EVENTS);
});

test('a process that may run on one CPU only still counts on all of them', { skip: skipCpuset }, async (t) => {
  const exporter = await start(t, [], ['taskset', '-c', '1']);
  const online = readFileSync('/sys/devices/system/cpu/online', 'utf8').trim();
  const allowed = readFileSync(`/proc/${exporter.child.pid}/status`, 'utf8').match(/^Cpus_allowed_list:\t(.*)$/m)?.[1];
  assert.equal(allowed, '1');
  const covered =
    parseExposition(await exporter.scrape()).get('node_perf_context_switches_total')?.samples ?? new Map();
  const cpus = [...covered.keys()].map((labels) => labels.replace(/\D/g, ''));
  assert.ok(online.startsWith('0'), online);
  assert.ok(cpus.includes('0') && cpus.includes('1'), cpus.join());
});

const TRACEPOINT = ['--collector.perf.tracepoint=sched:sched_switch'];
const SWITCHES = 'node_perf_sched_sched_switch';

test('a tracepoint without tracefs: everything else is told, and what to mount', { skip }, async (t) => {
  const hidden = ['unshare', '--mount', 'sh', '-c', 'umount -a -t tracefs 2>/dev/null; exec "$@"', 'sh'];
  const exporter = await start(t, TRACEPOINT, hidden);
  const text = await exporter.scrape();
  assert.doesNotMatch(text, new RegExp(`^${SWITCHES}`, 'm'));
  assert.match(text, /^node_scrape_collector_success\{collector="perf"\} 1$/m);
  assert.match(text, /^keyhole_perf_unavailable\{kind="tracepoint",reason="no_tracefs"\} 1$/m);
  assert.match(exporter.log(), /tracefs is not mounted: mount -t tracefs/);
});

test('a tracepoint with tracefs agrees with perf stat -a', { skip }, async (t) => {
  const mounting = ['unshare', '--mount', 'sh', '-c', 'mount -t tracefs none /sys/kernel/tracing && exec "$@"', 'sh'];
  const exporter = await start(t, TRACEPOINT, mounting);
  keepBusy(t);
  await agreesWithPerf(t, exporter, { 'sched:sched_switch': SWITCHES }, mounting);
});

test('a tracepoint that this kernel does not have ends nothing', { skip }, async (t) => {
  const exporter = await start(t, ['--collector.perf.tracepoint=no:such=999999']);
  const text = await exporter.scrape();
  assert.match(text, /^node_perf_available\{kind="tracepoint"\} 0$/m);
  assert.match(text, /^node_scrape_collector_success\{collector="perf"\} 1$/m);
});

const skipGuest = loudly(lacksGuest('x64'));

interface Said {
  readonly status: number;
  readonly works: boolean;
  readonly reason?: string;
  readonly changes: readonly string[];
}

test("Debian's kernel at its own level: the doctor names the patch, and what it says helps", {
  skip: skipGuest,
}, async (t) => {
  const results = await runGuest({
    arch: 'x64',
    scenario: 'helpers/guest/paranoid.ts',
    cpus: 2,
    timeoutMs: 300_000,
  });
  t.diagnostic(JSON.stringify(results));
  const { initial, levels } = results as { initial: string; levels: Record<string, Said> };
  assert.equal(initial, '3');
  const reasons = Object.fromEntries(Object.entries(levels).map(([name, { reason = 'works' }]) => [name, reason]));
  assert.deepEqual(reasons, {
    'none at 3': 'no_capability',
    'none at 2': 'no_capability',
    'none at 0': 'works',
    'perfmon at 3': 'kernel_patch',
    'perfmon at 2': 'works',
  });
  for (const { works, status } of Object.values(levels)) assert.equal(status, works ? 0 : 1);
  assert.deepEqual(levels['perfmon at 3']?.changes, ['sysctl kernel.perf_event_paranoid=2']);
  assert.ok(levels['none at 3']?.changes.includes('sysctl kernel.perf_event_paranoid=2'));
  assert.ok(!levels['none at 2']?.changes.includes('sysctl kernel.perf_event_paranoid=2'));
});
