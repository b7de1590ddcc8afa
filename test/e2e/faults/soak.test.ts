// Ten scrapes a second with filters at random, while interfaces, mounts and text files come and go and an lxcfs stops and goes on.
// KEYHOLE_E2E_SOAK_SECONDS=1800 is the long version; KEYHOLE_E2E_SOAK_PLOT names a file for its plot.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { type TestContext, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { lacksPackages, loudly, notRoot } from '../../helpers/debian.ts';
import { type Exporter, KEYHOLE, startExporter } from '../../helpers/exporter.ts';
import { parseExposition, type ScrapedFamily } from '../../helpers/exposition.ts';
import { lacksGuest, runGuest } from '../../helpers/guest.ts';
import { inNamespaces, isInside } from '../../helpers/namespace.ts';
import {
  changeNow,
  interfaceThing,
  mountThing,
  type Point,
  plotOf,
  textThing,
  type Watched,
  watched,
} from '../../helpers/soak.ts';

const SECONDS = Number(process.env['KEYHOLE_E2E_SOAK_SECONDS'] ?? 30);
const PLOT = process.env['KEYHOLE_E2E_SOAK_PLOT'];
const HELPER = new URL('../../helpers/fuse_files.py', import.meta.url).pathname;
const TIMEOUT_MS = 2000;
const SCRAPE_EVERY_MS = 100;
const CHANGE_EVERY_MS = 250;
/** A scrape may share the run of one that began earlier, and what was read away from the loop serves for a second. */
const EARLIER_MS = TIMEOUT_MS + 1000;
/** What reads files that the stopped daemon serves. */
const SERVED = ['cpu', 'meminfo', 'stat'];
const OF_EACH = 5;
const LATE_SHARE_MAX = 0.001;
/** Until code is compiled and buffers are as large as they need to be. */
const WARM_UP = 0.4;
const GROWTH_MAX = SECONDS >= 600 ? 1.1 : 1.3;

function cannot(): string | false {
  if (notRoot() !== false) return 'the soak: needs root';
  if (!existsSync('/dev/fuse')) return 'the soak: no /dev/fuse';
  return lacksPackages('iproute2', 'mount', 'python3-minimal', 'libpython3-stdlib', 'util-linux');
}

/** The mounts that are shown are those of process 1, which it is. What is mounted here is mounted there, too. */
const FIRST = ['unshare', '--pid', '--fork', '--kill-child', '--mount', '--propagation=slave', '--mount-proc'];

interface Soaked {
  readonly exporter: Exporter;
  /** The exporter's own process. */
  readonly pid: number;
  readonly things: readonly Watched[];
  say(word: 'stop' | 'go'): void;
}

async function started(t: TestContext): Promise<Soaked> {
  const root = mkdtempSync(join(tmpdir(), 'keyhole-soak-'));
  // What is mounted below goes with it, whatever is there then.
  execFileSync('mount', ['-t', 'tmpfs', 'soak-files', root]);
  const [mount, control, texts] = ['served', 'control', 'texts'].map((name) => join(root, name)) as [
    string,
    string,
    string,
  ];
  for (const folder of [mount, texts]) mkdirSync(folder);
  execFileSync('mount', ['--make-rshared', '/']);
  execFileSync('mkfifo', [control]);
  execFileSync('mount', ['-t', 'sysfs', 'sysfs', '/sys']);
  execFileSync('ip', ['link', 'set', 'lo', 'up']);
  const files = Object.fromEntries(
    ['meminfo', 'stat'].map((name) => [name, { text: readFileSync(`/proc/${name}`, 'utf8') }]),
  );
  const bind = Object.fromEntries(Object.keys(files).map((name) => [name, `/proc/${name}`]));
  const spec = JSON.stringify({ mount, files, bind });
  const exporter = await startExporter(
    [...FIRST, 'python3', HELPER, spec, control, '--', ...KEYHOLE],
    [
      `--collector.timeout=${TIMEOUT_MS}ms`,
      '--collector.filesystem.mount-timeout=200ms',
      `--collector.textfile.directory=${texts}`,
    ],
  );
  const { pid: parent } = exporter.child;
  const pid = Number(readFileSync(`/proc/${parent}/task/${parent}/children`, 'utf8'));
  t.after(async () => {
    const { exitCode, signalCode } = exporter.child;
    if (exitCode === null && signalCode === null) await exporter.stop('SIGKILL');
    execFileSync('umount', ['--lazy', root]);
    rmdirSync(root);
  });
  const things = Array.from({ length: OF_EACH }, (_, i) => [
    interfaceThing(`soak${i}`),
    mountThing(join(root, `mount${i}`)),
    textThing(texts, `text${i}`),
  ]).flat();
  return { exporter, pid, things: things.map(watched), say: (word) => writeFileSync(control, `${word}\n`) };
}

const pick = <T>(all: readonly T[]): T => all[Math.floor(Math.random() * all.length)] as T;

/** One of five asks for everything. */
const filter = (names: readonly string[]): string[] =>
  Math.random() < 0.2 ? [] : [...new Set(Array.from({ length: 4 }, () => pick(names)))];

const sampleOf = (families: ReadonlyMap<string, ScrapedFamily>, series: string): number | undefined => {
  const brace = series.indexOf('{');
  return families.get(series.slice(0, brace))?.samples.get(series.slice(brace));
};

interface Answer {
  readonly families: ReadonlyMap<string, ScrapedFamily>;
  readonly asked: readonly string[];
  readonly askedAt: number;
}

const succeeded = ({ families }: Answer): Map<string, number> =>
  new Map(
    [...(families.get('node_scrape_collector_success')?.samples ?? [])].map(([labels, value]) => [
      labels.split('"')[1] as string,
      value,
    ]),
  );

/** What is wrong with an answer, by what is known of the machine at that time. */
function wrongIn(answer: Answer, names: readonly string[], things: readonly Watched[], stoppedUntil: number): string[] {
  const { families, asked, askedAt } = answer;
  const success = succeeded(answer);
  const wanted = asked.length === 0 ? names : asked;
  const earlier = askedAt - EARLIER_MS;
  const missing = wanted.filter((name) => !success.has(name)).map((name) => `${name} is missing`);
  const failed = [...success].filter(
    ([name, value]) => value === 0 && !(SERVED.includes(name) && stoppedUntil > earlier),
  );
  const seen = things
    .filter(({ collector, isChanging, changedAt }) => wanted.includes(collector) && !isChanging && changedAt < earlier)
    .flatMap(({ series, value }) => series.map((each) => [each, value, sampleOf(families, each)] as const));
  return [
    ...missing,
    ...failed.map(([name]) => `${name} failed`),
    ...seen.filter(([, value, found]) => value !== found).map((each) => `${each.join(' ')}`),
  ];
}

function pointOf(pid: number, second: number): Point {
  const status = readFileSync(`/proc/${pid}/status`, 'latin1');
  return {
    second,
    residentMib: Number(/VmRSS:\s+(\d+)/.exec(status)?.[1]) / 1024,
    threads: readdirSync(`/proc/${pid}/task`).length,
    descriptors: readdirSync(`/proc/${pid}/fd`).length,
  };
}

const median = (values: readonly number[]): number => values.toSorted((a, b) => a - b)[values.length >> 1] as number;

function assertFlat(t: TestContext, points: readonly Point[]): void {
  const settled = points.slice(Math.floor(points.length * WARM_UP));
  const half = settled.length >> 1;
  for (const what of ['residentMib', 'threads', 'descriptors'] as const) {
    const values = settled.map((point) => point[what]);
    const [first, second] = [median(values.slice(0, half)), median(values.slice(half))];
    t.diagnostic(
      `${what}: ${first.toFixed(1)} in the middle, ${second.toFixed(1)} at the end, at most ${Math.max(...values).toFixed(1)}`,
    );
    assert.ok(second <= first * GROWTH_MAX, what);
  }
}

async function soak(t: TestContext): Promise<void> {
  const { exporter, pid, things, say } = await started(t);
  const ask = async (asked: readonly string[]): Promise<Answer> => {
    const askedAt = performance.now();
    const query = asked.map((name) => `collect[]=${name}`).join('&');
    return { families: parseExposition(await exporter.scrape(`?${query}`)), asked, askedAt };
  };
  const first = succeeded(await ask([]));
  const names = [...first].filter(([, value]) => value === 1).map(([name]) => name);
  const unusual = [...first].filter(([, value]) => value === 0).map(([name]) => `${name} failed`);
  const wrong: string[] = [];
  const tookMs: number[] = [];
  const points: Point[] = [];
  const startedAt = performance.now();
  let isStopped = false;
  let stoppedUntil = 0;
  const change = async (): Promise<void> => {
    const isOfDaemon = Math.random() < 0.1;
    if (!isOfDaemon) return changeNow(pick(things));
    isStopped = !isStopped;
    stoppedUntil = isStopped ? Number.POSITIVE_INFINITY : performance.now();
    say(isStopped ? 'stop' : 'go');
  };
  const check = async (): Promise<void> => {
    const answer = await ask(filter(names));
    tookMs.push(performance.now() - answer.askedAt);
    const found = wrongIn(answer, names, things, stoppedUntil).filter((each) => !unusual.includes(each));
    wrong.push(...found.map((each) => `${((answer.askedAt - startedAt) / 1000).toFixed(1)} s: ${each}`));
  };
  const under: Promise<void>[] = [];
  const start = (work: Promise<void>): void => void under.push(work.catch((error) => void wrong.push(String(error))));
  let nextChange = 0;
  for (let tick = 0; tick * SCRAPE_EVERY_MS < SECONDS * 1000; tick += 1) {
    await delay(Math.max(0, startedAt + tick * SCRAPE_EVERY_MS - performance.now()));
    start(check());
    if (tick * SCRAPE_EVERY_MS >= nextChange) {
      nextChange += CHANGE_EVERY_MS;
      start(change());
    }
    if (tick % 10 === 0) points.push(pointOf(pid, tick / 10));
  }
  await Promise.all(under);
  const late = tookMs.filter((ms) => ms > TIMEOUT_MS + 1000);
  t.diagnostic(
    `${tookMs.length} scrapes, median ${median(tookMs).toFixed(0)} ms, the slowest ${Math.max(...tookMs).toFixed(0)} ms`,
  );
  if (PLOT !== undefined) writeFileSync(PLOT, plotOf(points));
  assert.deepEqual(wrong, []);
  // Others may want the same processors.
  assert.ok(late.length <= tookMs.length * LATE_SHARE_MAX, `late: ${late}`);
  assertFlat(t, points);
  say('go');
  const ended = once(exporter.child, 'exit');
  process.kill(pid, 'SIGTERM');
  assert.deepEqual(await ended, [0, null]);
}

const DEADLINE_MS = (SECONDS + 120) * 1000;

const inside = (): void => {
  test('every answer is right, and nothing grows', { timeout: DEADLINE_MS }, soak);
};

inNamespaces('a soak', loudly(cannot()), import.meta.filename, inside, DEADLINE_MS);

/** A guest needs a while to start, and to open counters again. */
const GUEST_MS = 300_000;

if (!isInside())
  test('a CPU that comes and goes, in a guest', {
    skip: loudly(lacksGuest('arm64')),
    timeout: DEADLINE_MS + GUEST_MS,
  }, async (t) => {
    const scenario = 'helpers/guest/cpu_soak.ts';
    const append = `soak=${SECONDS}`;
    const results = await runGuest({ arch: 'arm64', scenario, cpus: 2, append, timeoutMs: DEADLINE_MS + GUEST_MS });
    const { soak: found, log, status } = results as { soak: CpuSoak; log: string; status: number };
    const { scrapes, changes, wrong, first, last } = found;
    t.diagnostic(JSON.stringify({ scrapes, changes, first, last }));
    assert.deepEqual(wrong, [], log);
    assert.ok(changes > 0 && scrapes > changes);
    assert.deepEqual(last, first, 'descriptors and threads with both CPUs');
    assert.equal(status, 0);
  });

interface CpuSoak {
  readonly scrapes: number;
  readonly changes: number;
  readonly wrong: readonly string[];
  readonly first: object;
  readonly last: object;
}
