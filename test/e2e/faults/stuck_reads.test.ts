// Reads that hang: a stopped lxcfs, FIFOs, slow and endless files.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { type TestContext, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { lacksPackages, loudly, notRoot } from '../../helpers/debian.ts';
import { type Exporter, KEYHOLE, startExporter } from '../../helpers/exporter.ts';
import { parseExposition } from '../../helpers/exposition.ts';

const HELPER = new URL('../../helpers/fuse_files.py', import.meta.url).pathname;
const TIMEOUT_MS = 1000;
const ARGS = [`--collector.timeout=${TIMEOUT_MS}ms`, '--collector.filesystem.mount-timeout=200ms'];

function cannot(): string | false {
  if (notRoot() !== false) return 'reads that hang: needs root';
  if (!existsSync('/dev/fuse')) return 'reads that hang: no /dev/fuse';
  return lacksPackages('python3-minimal', 'libpython3-stdlib', 'util-linux');
}
const skip = loudly(cannot());

interface ServedFile {
  readonly text?: string;
  readonly delayS?: number;
  readonly endless?: boolean;
}

interface Beside {
  readonly exporter: Exporter;
  /** The exporter's own process. */
  readonly pid: number;
  /** Stops the daemon with SIGSTOP, or lets it go on. */
  say(word: 'stop' | 'go'): void;
}

function folder(t: TestContext): string {
  const root = mkdtempSync(join(tmpdir(), 'keyhole-reads-'));
  // The exporter gives up root.
  chmodSync(root, 0o755);
  t.after(() => rmSync(root, { recursive: true, force: true }));
  return root;
}

/** An exporter in namespaces of its own, beside a daemon that serves `files`; each that has a name in /proc stands there. */
async function startBeside(
  t: TestContext,
  files: Readonly<Record<string, ServedFile>>,
  args: (mount: string) => readonly string[] = () => [],
): Promise<Beside> {
  const root = folder(t);
  const control = join(root, 'control');
  const mount = join(root, 'served');
  execFileSync('mkfifo', [control]);
  mkdirSync(mount);
  const bind = Object.fromEntries(
    Object.keys(files)
      .filter((path) => !path.includes('/'))
      .map((path) => [path, `/proc/${path}`]),
  );
  const namespaces = ['unshare', '--mount', '--pid', '--fork', '--kill-child', '--mount-proc'];
  const spec = JSON.stringify({ mount, files, bind });
  const command = [...namespaces, 'python3', HELPER, spec, control, '--', ...KEYHOLE];
  const exporter = await startExporter(command, [...ARGS, ...args(mount)]);
  t.after(async () => {
    const { exitCode, signalCode } = exporter.child;
    if (exitCode === null && signalCode === null) await exporter.stop('SIGKILL');
  });
  const unshare = exporter.child.pid as number;
  const pid = Number(readFileSync(`/proc/${unshare}/task/${unshare}/children`, 'utf8'));
  return { exporter, pid, say: (word) => writeFileSync(control, `${word}\n`) };
}

interface Seen {
  readonly names: ReadonlySet<string>;
  readonly failed: readonly string[];
  readonly ms: number;
}

async function look({ scrape }: Exporter, query = ''): Promise<Seen> {
  const askedAt = performance.now();
  const families = parseExposition(await scrape(query));
  const ms = performance.now() - askedAt;
  const success = [...(families.get('node_scrape_collector_success')?.samples ?? [])];
  const failed = success.filter(([, value]) => value === 0).map(([labels]) => labels.split('"')[1] as string);
  return { names: new Set(families.keys()), failed, ms };
}

const threads = (pid: number): number => readdirSync(`/proc/${pid}/task`).length;

async function endsInTime({ exporter, pid }: Beside): Promise<void> {
  const askedAt = performance.now();
  const ended = once(exporter.child, 'exit', { signal: AbortSignal.timeout(10_000) });
  process.kill(pid, 'SIGTERM');
  assert.deepEqual(await ended, [0, null]);
  assert.ok(performance.now() - askedAt < 5000);
}

const served = (...names: readonly string[]): Record<string, ServedFile> =>
  Object.fromEntries(names.map((name) => [name, { text: readFileSync(`/proc/${name}`, 'utf8') }]));

test('an lxcfs that is stopped costs what it serves, and that only until it goes on', { skip }, async (t) => {
  const beside = await startBeside(t, served('meminfo', 'stat'));
  const { exporter, pid, say } = beside;
  const before = await look(exporter);
  assert.ok(before.names.has('node_memory_MemTotal_bytes') && before.names.has('node_cpu_seconds_total'));
  const own = [...before.names].filter((name) => /^(process|nodejs|keyhole|promhttp)_/.test(name));
  say('stop');
  // What was read just now serves for a second.
  await delay(1100);
  const first = await look(exporter);
  assert.ok(first.ms < TIMEOUT_MS + 1000, `${first.ms} ms`);
  const count = threads(pid);
  for (let i = 0; i < 5; i += 1) {
    const { names, failed, ms } = await look(exporter);
    assert.deepEqual(
      ['cpu', 'meminfo', 'stat'].filter((name) => !failed.includes(name)),
      [],
    );
    assert.deepEqual(
      failed.filter((name) => !before.failed.includes(name)),
      ['cpu', 'meminfo', 'stat'],
    );
    assert.deepEqual(
      own.filter((name) => !names.has(name)),
      [],
    );
    assert.ok(ms < TIMEOUT_MS, `${ms} ms`);
  }
  t.diagnostic(`first scrape ${first.ms.toFixed(0)} ms, later ${(await look(exporter)).ms.toFixed(0)} ms`);
  assert.equal(threads(pid), count);
  assert.ok((await look(exporter, '?collect[]=loadavg')).ms < 500);
  assert.equal((await fetch(`${exporter.url}/`)).status, 200);
  say('go');
  let after = await look(exporter);
  for (const until = Date.now() + 10_000; after.failed.includes('meminfo') || after.failed.includes('cpu'); ) {
    assert.ok(Date.now() < until);
    await delay(50);
    after = await look(exporter);
  }
  assert.deepEqual(after.failed, before.failed);
  say('stop');
  await delay(1100);
  await look(exporter);
  await endsInTime(beside);
});

test('files that are slow or do not end cost themselves', { skip }, async (t) => {
  const files = {
    'proc/loadavg': { text: '1 2 3 4/5 6\n' },
    'proc/meminfo': { endless: true },
    'proc/vmstat': { text: 'oom_kill 1\n', delayS: 3 },
    'proc/self/mountinfo': { text: '' },
  };
  const only = ['meminfo', 'loadavg', 'vmstat'].map((name) => `--collector.${name}`);
  const beside = await startBeside(t, files, (mount) => [
    `--path.procfs=${mount}/proc`,
    '--collector.disable-defaults',
    ...only,
  ]);
  for (let i = 0; i < 3; i += 1) {
    const { ms, failed, names } = await look(beside.exporter);
    t.diagnostic(`${ms.toFixed(0)} ms, without ${failed}`);
    assert.ok(ms < TIMEOUT_MS + 1000, `${ms} ms`);
    assert.ok(failed.includes('meminfo') && failed.includes('vmstat'));
    assert.ok(!names.has('node_memory_MemTotal_bytes'));
  }
  await endsInTime(beside);
});

test('a FIFO in a moved tree is refused', async (t) => {
  const root = folder(t);
  for (const name of ['proc', 'sys']) mkdirSync(join(root, name));
  execFileSync('mkfifo', [join(root, 'proc/meminfo')]);
  writeFileSync(join(root, 'proc/loadavg'), '1 2 3 4/5 6\n');
  const only = ['meminfo', 'loadavg'].map((name) => `--collector.${name}`);
  const exporter = await startExporter(KEYHOLE, [
    ...['proc', 'sys'].map((name) => `--path.${name}fs=${join(root, name)}`),
    '--collector.disable-defaults',
    ...only,
  ]);
  t.after(() => exporter.stop('SIGKILL'));
  for (let i = 0; i < 2; i += 1) {
    const { failed, names, ms } = await look(exporter);
    assert.deepEqual(failed, ['meminfo']);
    assert.ok(names.has('node_load1') && ms < 1000);
  }
  assert.match(exporter.log(), /meminfo: not a regular file/);
  assert.equal(await exporter.stop(), 0);
});
