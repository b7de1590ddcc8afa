// A container with little memory: scraped every second it must neither be killed nor become slow.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { globSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import { after, before, describe, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { optional } from '../../../src/core/errors.ts';
import { type Containerd, startContainerd } from '../../helpers/container/containerd.ts';
import type { Pod } from '../../helpers/container/cri.ts';
import { CHART_MOUNTS, chartArgs, IMAGE, imageArchive, NOBODY } from '../../helpers/container/image.ts';
import { get } from '../../helpers/container/seen.ts';
import { lacksPackages, loudly, notRoot } from '../../helpers/debian.ts';
import { freePort } from '../../helpers/exporter.ts';
import { lacksController } from '../../helpers/hierarchies.ts';

const MIB = 1 << 20;
const LIMIT_BYTES = 50 * MIB;
/** Ten minutes in the full version: KEYHOLE_E2E_MEMORY_SECONDS=600. */
const SECONDS = Number(process.env['KEYHOLE_E2E_MEMORY_SECONDS'] ?? 40);
/** The first scrapes load what is loaded once. */
const WARM_UP_SECONDS = 5;
/** In a short run the slowest of few scrapes says more of the machine than of the limit. */
const FLOOR_MS = SECONDS >= 600 ? 0 : 60;
const USUAL_KIB = 128;
/** Of some disks and arrays. What is read around each missing page of the executable then does not fit into 50 MiB. */
const LARGE_KIB = 8192;
const LARGE_LIMIT_BYTES = 80 * MIB;
/** What a probe waits. */
const PROBE_MS = 1000;

const skip = loudly(
  notRoot() || lacksPackages('containerd', 'runc') || lacksController('cpu') || lacksController('memory'),
);

/** `queue/read_ahead_kb` of the disk that a file is on; nothing where there is none. */
function readaheadFile(path: string): string | undefined {
  const { dev } = statSync(path);
  const [major, minor] = [(dev >> 8) & 0xfff, (dev & 0xff) | ((dev >> 12) & 0xfff00)];
  return globSync(`/sys/dev/block/${major}:${minor}/{,../}queue/read_ahead_kb`)[0];
}

interface Measured {
  readonly startMs: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly killed: number;
  /** The most that was charged, and of it what is no copy of a file. */
  readonly mostMib: number;
  readonly anonymousMib: number;
}

/** What the memory controller counted, by version 2 of control groups or by version 1. */
function accountOf(pid: number): Pick<Measured, 'killed' | 'mostMib' | 'anonymousMib'> {
  const groups = readFileSync(`/proc/${pid}/cgroup`, 'utf8');
  const path = (pattern: RegExp): string => pattern.exec(groups)?.[1] ?? '';
  const first = join('/sys/fs/cgroup/memory', path(/^\d+:[^:]*\bmemory\b[^:]*:(.*)$/m));
  const second = join('/sys/fs/cgroup', path(/^0::(.*)$/m));
  const read = (...files: string[]): string => {
    for (const file of files) {
      const text = optional(() => readFileSync(file, 'utf8'));
      if (text !== undefined) return text;
    }
    return '';
  };
  const field = (text: string, name: RegExp): number => Number(name.exec(text)?.[1] ?? Number.NaN);
  const events = read(join(first, 'memory.oom_control'), join(second, 'memory.events'));
  const most = read(join(first, 'memory.max_usage_in_bytes'), join(second, 'memory.peak'));
  const stat = read(join(first, 'memory.stat'), join(second, 'memory.stat'));
  return {
    killed: field(events, /^oom_kill (\d+)$/m),
    mostMib: Number(most) / MIB,
    anonymousMib: field(stat, /^(?:rss|anon) (\d+)$/m) / MIB,
  };
}

const quantile = (sorted: readonly number[], share: number): number =>
  sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] as number;

describe('in little memory', { skip, timeout: (SECONDS * 5 + 300) * 1000, concurrency: false }, () => {
  let containerd: Containerd;
  let pod: Pod;
  let file: string | undefined;
  let readaheadBefore = '';
  before(async () => {
    containerd = await startContainerd();
    containerd.import(imageArchive());
    pod = await containerd.runPod();
    file = readaheadFile(containerd.folder);
    if (file !== undefined) readaheadBefore = readFileSync(file, 'utf8');
  });
  after(async () => {
    if (file !== undefined) writeFileSync(file, readaheadBefore);
    await pod?.remove();
    await containerd?.stop();
  });

  async function measure(memoryMaxBytes: number | undefined, readaheadKib: number): Promise<Measured> {
    if (file !== undefined) writeFileSync(file, String(readaheadKib));
    // What is cached of the executable was charged to who unpacked it: the container would have it for nothing.
    execFileSync('sync');
    for (const each of globSync(`${containerd.folder}/root/*/snapshots/*/fs/bin/keyhole`))
      execFileSync('dd', [`if=${each}`, 'iflag=nocache', 'count=0'], { stdio: 'ignore' });
    const port = await freePort();
    const limit = memoryMaxBytes === undefined ? {} : { memoryMaxBytes };
    const startedAt = performance.now();
    const spec = { image: IMAGE, args: [...chartArgs(port), '--collector.perf'], mounts: CHART_MOUNTS, uid: NOBODY };
    const container = await pod.run({ ...spec, ...limit, add: ['PERFMON'], drop: ['ALL'], readOnlyRoot: true });
    try {
      const url = `http://127.0.0.1:${port}/metrics`;
      await get(url, async () => (await container.state()).running);
      const startMs = performance.now() - startedAt;
      const tookMs: number[] = [];
      for (let second = 0; second < SECONDS; second += 1) {
        const askedAt = performance.now();
        await get(url);
        if (second >= WARM_UP_SECONDS) tookMs.push(performance.now() - askedAt);
        await delay(Math.max(0, 1000 - (performance.now() - askedAt)));
      }
      tookMs.sort((a, b) => a - b);
      assert.equal((await container.state()).running, true);
      return { startMs, p50Ms: quantile(tookMs, 0.5), p99Ms: quantile(tookMs, 0.99), ...accountOf(container.pid) };
    } finally {
      await container.remove();
    }
  }

  const inWords = (measured: Measured): string =>
    Object.entries(measured)
      .map(([name, value]) => `${name} ${value.toFixed(1)}`)
      .join(', ');

  let free: Measured;
  test('without a limit, to compare with', async (t) => {
    free = await measure(undefined, USUAL_KIB);
    t.diagnostic(inWords(free));
  });

  test(`with the usual readahead of ${USUAL_KIB} KiB, in ${LIMIT_BYTES / MIB} MiB`, async (t) => {
    const limited = await measure(LIMIT_BYTES, USUAL_KIB);
    t.diagnostic(inWords(limited));
    assert.equal(limited.killed, 0);
    assert.ok(limited.mostMib <= LIMIT_BYTES / MIB);
    assert.ok(limited.p99Ms <= Math.max(2 * free.p99Ms, FLOOR_MS), `${limited.p99Ms} ms, ${free.p99Ms} ms without`);
  });

  test(`with a readahead of ${LARGE_KIB} KiB, in ${LARGE_LIMIT_BYTES / MIB} MiB`, async (t) => {
    if (file === undefined) return t.skip('no disk below: no readahead to set');
    const limited = await measure(LARGE_LIMIT_BYTES, LARGE_KIB);
    t.diagnostic(inWords(limited));
    assert.equal(limited.killed, 0);
    assert.ok(limited.p99Ms <= PROBE_MS, `${limited.p99Ms} ms`);
  });
});
