// What is taken on first use elsewhere is taken at the start: threads; and what is counted is bounded.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import process from 'node:process';
import { describe, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { optional } from '../../../src/core/errors.ts';
import { lacksPackages, loudly, notRoot } from '../../helpers/debian.ts';
import { type Exporter, KEYHOLE, startExporter } from '../../helpers/exporter.ts';

const skip = loudly(notRoot() || lacksPackages('util-linux'));

/** A user of the test's own: whoever else runs as nobody would count. */
const LONELY = ['setpriv', '--reuid=64321', '--regid=64321', '--clear-groups'] as const;
const GROUPS = ['/sys/fs/cgroup/pids', '/sys/fs/cgroup'];
const groupRoot = GROUPS.find(
  (root) =>
    existsSync(`${root}/cgroup.procs`) &&
    existsSync(`${root}/${root.endsWith('pids') ? 'tasks' : 'cgroup.controllers'}`),
);
const skipGroup =
  skip ||
  loudly(
    (groupRoot === undefined ||
      (!groupRoot.endsWith('pids') &&
        !readFileSync(`${groupRoot}/cgroup.subtree_control`, 'latin1').includes('pids'))) &&
      'no control group for pids here',
  );

const nameOf = (pid: number | undefined, task: string): string | undefined =>
  optional(() => readFileSync(`/proc/${pid}/task/${task}/comm`, 'latin1'), ['ENOENT', 'ESRCH']);

const workersOf = ({ child: { pid } }: Exporter): number =>
  readdirSync(`/proc/${pid}/task`).filter((task) => nameOf(pid, task) === 'libuv-worker\n').length;

/** Scrapes with what uses the pool: file systems, text files, compression of names. */
async function serves(command: readonly string[]): Promise<{ workers: number; log: string }> {
  const exporter = await startExporter(command, [
    '--collector.textfile.directory=/nowhere',
    '--web.listen-address=localhost:0',
  ]);
  try {
    for (let i = 0; i < 3; i += 1) assert.match(await exporter.scrape(), /^node_filesystem_size_bytes\{/m);
    return { workers: workersOf(exporter), log: exporter.log() };
  } finally {
    assert.equal(await exporter.stop(), 0, exporter.log());
  }
}

/** A control group of the test's own, with this many processes and threads. */
async function within<T>(max: number, work: (enter: readonly string[]) => Promise<T>): Promise<T> {
  const group = `${groupRoot}/keyhole-limits-${process.pid}`;
  mkdirSync(group);
  try {
    writeFileSync(`${group}/pids.max`, String(max));
    return await work(['sh', '-c', `echo $$ >${group}/cgroup.procs && exec "$0" "$@"`]);
  } finally {
    // What has ended is in it for a moment more.
    for (const until = Date.now() + 5000; existsSync(group) && Date.now() < until; await delay(20))
      optional(() => rmdirSync(group), ['EBUSY', 'ENOTEMPTY']);
  }
}

describe('few threads', { skip, concurrency: false }, () => {
  test('RLIMIT_NPROC=12: as many as there can be, and it says what is missing', async () => {
    const { workers, log } = await serves(['prlimit', '--nproc=12:12', ...LONELY, ...KEYHOLE]);
    assert.ok(workers > 0 && workers < 12, `${workers}`);
    assert.match(log, /level=WARN .*fewer threads than wanted.* threads=\d+ wanted=16 .*RLIMIT_NPROC 12/);
  });

  test('pids.max=10', { skip: skipGroup }, async () => {
    const { workers, log } = await within(10, (enter) => serves([...enter, ...KEYHOLE]));
    assert.ok(workers > 0 && workers < 10, `${workers}`);
    assert.match(log, /fewer threads than wanted.* wanted=16 .*pids\.max 10/);
  });

  test('not one: an error that says what limits it, no abort', { skip: skipGroup }, async () => {
    // What the runtime itself takes before the first line of the program.
    const least = await within(64, async (enter) => {
      const exporter = await startExporter([...enter, ...KEYHOLE]);
      const threads = readdirSync(`/proc/${exporter.child.pid}/task`).length - workersOf(exporter);
      await exporter.stop();
      return threads;
    });
    const { status, signal, stderr } = await within(least, async ([program, ...rest]) =>
      spawnSync(program as string, [...rest, ...KEYHOLE, '--web.listen-address=127.0.0.1:0'], {
        encoding: 'utf8',
        timeout: 20_000,
      }),
    );
    assert.deepEqual([status, signal], [1, null], stderr);
    assert.match(stderr, new RegExp(`no thread can be started .*pids\\.max ${least}`));
  });

  test('as many as wanted where nothing limits them, all at the start', async () => {
    const { workers, log } = await serves(KEYHOLE);
    assert.equal(workers, 16);
    assert.doesNotMatch(log, /fewer threads/);
  });
});

describe('the sockets of systemd', { skip, concurrency: false }, () => {
  test('a count that is no count is an error at once', () => {
    for (const [count, why] of [
      ['1000000000', /LISTEN_FDS=1000000000: more than 1024 sockets/],
      ['2', /LISTEN_FDS=2: file descriptor 3 is no socket/],
      ['1e3', /no socket activation file descriptors found/],
    ] as const) {
      const startedAt = performance.now();
      const own = ['sh', '-c', `LISTEN_PID=$$ LISTEN_FDS=${count} exec "$0" "$@"`, ...KEYHOLE, '--web.systemd-socket'];
      const { status, stderr } = spawnSync(own[0] as string, own.slice(1), { encoding: 'utf8', timeout: 20_000 });
      assert.equal(status, 1, stderr);
      assert.match(stderr, why);
      assert.ok(performance.now() - startedAt < 5000);
    }
  });
});
