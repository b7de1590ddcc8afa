import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { type TestContext, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { lacksPackages, loudly, notRoot } from '../helpers/debian.ts';
import { type Exporter, KEYHOLE, startExporter } from '../helpers/exporter.ts';
import { parseExposition } from '../helpers/exposition.ts';

const HELPER = new URL('../helpers/hung_mounts.py', import.meta.url).pathname;
const ANSWERING = new URL('../helpers/fuse_files.py', import.meta.url).pathname;
const ARGS = ['--collector.disable-defaults', '--collector.filesystem', '--collector.loadavg'];
const TIMEOUT_MS = 300;

function cannot(): string | false {
  if (notRoot() !== false) return 'hanging mounts: needs root';
  if (!existsSync('/dev/fuse')) return 'hanging mounts: no /dev/fuse';
  return lacksPackages('python3-minimal', 'libpython3-stdlib', 'util-linux');
}
const skip = loudly(cannot());

interface Hanging {
  readonly root: string;
  readonly exporter: Exporter;
  readonly mountPoints: readonly string[];
  /** The exporter's own process, which is process 1 of its namespace. */
  readonly pid: number;
  /** Breaks the mounts, so that what hangs returns. */
  release(): void;
}

/** An exporter in namespaces of its own, where `count` mounts hang; no one else on the machine sees them. */
async function startBeside(t: TestContext, count: number, args: readonly string[]): Promise<Hanging> {
  const root = mkdtempSync(join(tmpdir(), 'keyhole-hung-'));
  const control = join(root, 'control');
  execFileSync('mkfifo', [control]);
  const mountPoints = Array.from({ length: count }, (_, i) => join(root, `hung${i}`));
  for (const at of mountPoints) mkdirSync(at);
  const namespaces = ['unshare', '--mount', '--pid', '--fork', '--kill-child', '--mount-proc'];
  const command = [...namespaces, 'python3', HELPER, control, ...mountPoints, '--', ...KEYHOLE];
  const exporter = await startExporter(command, [...ARGS, ...args]);
  const unshare = exporter.child.pid as number;
  t.after(async () => {
    if (exporter.child.exitCode === null && exporter.child.signalCode === null) await exporter.stop('SIGKILL');
    rmSync(root, { recursive: true, force: true });
  });
  const pid = Number(readFileSync(`/proc/${unshare}/task/${unshare}/children`, 'utf8'));
  return { root, exporter, mountPoints, pid, release: () => writeFileSync(control, 'release\n') };
}

interface Seen {
  /** `device_error` by mount point. */
  readonly errors: ReadonlyMap<string, string>;
  readonly sized: ReadonlySet<string>;
  readonly success: number;
  readonly seconds: number;
}

async function look({ exporter }: Hanging): Promise<Seen> {
  const families = parseExposition(await exporter.scrape());
  const labels = (name: string): string[] => [...(families.get(name)?.samples.keys() ?? [])];
  const label = (text: string, name: string): string => new RegExp(`${name}="([^"]*)"`).exec(text)?.[1] ?? '';
  const own = '{collector="filesystem"}';
  return {
    errors: new Map(
      labels('node_filesystem_device_error').map((each) => [label(each, 'mountpoint'), label(each, 'device_error')]),
    ),
    sized: new Set(labels('node_filesystem_size_bytes').map((each) => label(each, 'mountpoint'))),
    success: families.get('node_scrape_collector_success')?.samples.get(own) ?? Number.NaN,
    seconds: families.get('node_scrape_collector_duration_seconds')?.samples.get(own) ?? Number.NaN,
  };
}

const QUICK = TIMEOUT_MS / 1000;

/** Mounts one that answers where the exporter is, behind a daemon as those that hang: local ones have a thread of their own. */
async function mountLater(t: TestContext, { pid, root }: Hanging): Promise<string> {
  const [at, control] = [join(root, 'late'), join(root, 'late-control')];
  execFileSync('mkfifo', [control]);
  mkdirSync(at);
  const spec = JSON.stringify({ mount: at, files: { a: { text: '1' } } });
  const inside = ['--mount', `--target=${pid}`, 'unshare', '--pid', '--fork', '--kill-child'];
  const daemon = spawn('nsenter', [...inside, 'python3', ANSWERING, spec, control, '--', 'sleep', 'infinity']);
  t.after(() => daemon.kill('SIGKILL'));
  for (const until = Date.now() + 10_000; !readFileSync(`/proc/${pid}/mounts`, 'utf8').includes(` ${at} `); ) {
    assert.ok(Date.now() < until, `${at} is not mounted`);
    await delay(20);
  }
  return at;
}

test('a mount that hangs is reported at once, delays nothing, and is asked again when it has come back', {
  skip,
}, async (t) => {
  const hanging = await startBeside(t, 1, [`--collector.filesystem.mount-timeout=${TIMEOUT_MS}ms`]);
  const [hung] = hanging.mountPoints as [string];

  const first = await look(hanging);
  assert.equal(first.success, 1);
  assert.equal(first.errors.get(hung), 'mountpoint timeout');
  assert.ok(first.seconds >= QUICK && first.seconds < 3, `${first.seconds} s`);
  assert.ok(!first.sized.has(hung) && first.sized.size > 0);

  const second = await look(hanging);
  assert.deepEqual([second.success, second.errors.get(hung)], [1, 'mountpoint timeout']);
  assert.deepEqual(second.sized, first.sized);
  assert.ok(second.seconds < QUICK, `${second.seconds} s`);

  hanging.release();
  let error = second.errors.get(hung);
  for (let tries = 0; error === 'mountpoint timeout' && tries < 50; tries += 1) {
    await delay(20);
    error = (await look(hanging)).errors.get(hung);
  }
  assert.equal(error, 'transport endpoint is not connected');
});

test('a mount that hangs for the default time does not fail the collector', { skip }, async (t) => {
  const hanging = await startBeside(t, 1, []);
  const { success, errors, sized } = await look(hanging);
  assert.equal(success, 1);
  assert.equal(errors.get(hanging.mountPoints[0] as string), 'mountpoint timeout');
  assert.ok(sized.size > 0);
});

test('any number of mounts that hang leave threads for the rest', { skip }, async (t) => {
  const hanging = await startBeside(t, 20, [`--collector.filesystem.mount-timeout=${TIMEOUT_MS}ms`]);
  const seen = [await look(hanging), await look(hanging), await look(hanging)];
  const texts = ({ errors }: Seen): string[] => hanging.mountPoints.map((at) => errors.get(at) as string);
  for (const each of seen) {
    assert.equal(each.success, 1);
    assert.deepEqual(each.sized, seen[0]?.sized);
    assert.equal(texts(each).filter((text) => text === 'mountpoint timeout').length, 5);
    assert.equal(texts(each).filter((text) => text === 'not asked: too many mountpoints hang').length, 15);
  }
  assert.ok((seen[2] as Seen).seconds < QUICK);
  const tasks = readdirSync(`/proc/${hanging.pid}/task`);
  const names = tasks.map((task) => readFileSync(`/proc/${hanging.pid}/task/${task}/comm`, 'utf8').trim());
  assert.equal(names.filter((name) => name === 'libuv-worker').length, 16);
});

test('a healthy mount that comes later is asked, while a dozen others hang', { skip }, async (t) => {
  const hanging = await startBeside(t, 12, [`--collector.filesystem.mount-timeout=${TIMEOUT_MS}ms`]);
  const before = await look(hanging);
  const late = await mountLater(t, hanging);
  const after = [await look(hanging), await look(hanging)];
  for (const each of after) {
    assert.ok(each.sized.has(late), `${late}: ${each.errors.get(late)}`);
    assert.deepEqual(before.sized.difference(each.sized), new Set());
    assert.ok(each.seconds < QUICK, `${each.seconds} s`);
  }
});

test('an exporter with a mount that hangs ends when it is asked to', { skip }, async (t) => {
  const hanging = await startBeside(t, 1, [`--collector.filesystem.mount-timeout=${TIMEOUT_MS}ms`]);
  await look(hanging);
  const ended = once(hanging.exporter.child, 'exit', { signal: AbortSignal.timeout(10_000) });
  process.kill(hanging.pid, 'SIGTERM');
  assert.deepEqual(await ended, [0, null]);
});
