// The image in Kubernetes: containerd, driven through its CRI as the kubelet does.
import assert from 'node:assert/strict';
import { cpus } from 'node:os';
import { after, before, describe, test } from 'node:test';
import { type Containerd, startContainerd } from '../../helpers/container/containerd.ts';
import type { ContainerSpec, Pod } from '../../helpers/container/cri.ts';
import {
  CHART_MOUNTS,
  CRI_O_BOUNDING,
  CRI_O_LACKS,
  chartArgs,
  HOST_MOUNTS,
  IMAGE,
  imageArchive,
  NOBODY,
  ORIGIN_ARGS,
  PERFMON,
} from '../../helpers/container/image.ts';
import { get, type Seen, seen } from '../../helpers/container/seen.ts';
import { lacksPackages, loudly, notRoot } from '../../helpers/debian.ts';
import { freePort } from '../../helpers/exporter.ts';
import { parseExposition } from '../../helpers/exposition.ts';
import { lacksController } from '../../helpers/hierarchies.ts';

const skip = loudly(notRoot() || lacksPackages('containerd', 'runc') || lacksController('cpu'));

type Asked = Omit<ContainerSpec, 'image' | 'args' | 'mounts'>;

interface Case {
  readonly name: string;
  readonly asked: Asked;
  readonly expected: Partial<Seen>;
  /** What `keyhole doctor` says inside, and the status it ends with. */
  readonly doctor: readonly [status: number, says: RegExp];
}

const HARDENED = { drop: ['ALL'], noNewPrivs: true, readOnlyRoot: true, runtimeDefault: true } as const;
const COUNTS = { success: 1, reason: '', counted: cpus().length, held: 0n, stage: 'sealed' } as const;
const REFUSED = { success: 0, counted: 0, held: 0n } as const;
const WORKS = [0, /^Perf counters work/] as const;

const CASES: readonly Case[] = [
  {
    name: 'PERFMON added to what CRI-O gives',
    asked: { uid: NOBODY, add: ['PERFMON'], drop: CRI_O_LACKS },
    expected: { ...COUNTS, bounding: CRI_O_BOUNDING },
    doctor: WORKS,
  },
  {
    name: 'everything dropped, PERFMON added, no escalation, read-only root, RuntimeDefault',
    asked: { uid: NOBODY, add: ['PERFMON'], ...HARDENED },
    expected: { ...COUNTS, bounding: PERFMON },
    doctor: WORKS,
  },
  {
    name: 'no PERFMON',
    asked: { uid: NOBODY, drop: CRI_O_LACKS },
    expected: { ...REFUSED, reason: 'no_capability', bounding: CRI_O_BOUNDING & ~PERFMON },
    doctor: [1, /^Perf counters do not work: .*CAP_PERFMON.*What to change:.*add: \["PERFMON"\]/s],
  },
  {
    name: 'no PERFMON and RuntimeDefault',
    asked: { uid: NOBODY, ...HARDENED },
    expected: { ...REFUSED, reason: 'seccomp', bounding: 0n },
    doctor: [1, /^Perf counters do not work: a seccomp profile forbids perf_event_open.*What to change:.*add PERFMON/s],
  },
  {
    name: 'CAP_PERFMON, which is no name of a capability here',
    asked: { uid: NOBODY, add: ['CAP_PERFMON'], drop: CRI_O_LACKS },
    expected: { ...REFUSED, reason: 'no_capability' },
    doctor: [1, /^Perf counters do not work/],
  },
  {
    name: 'root with PERFMON',
    asked: { uid: 0, add: ['PERFMON'], drop: CRI_O_LACKS },
    expected: COUNTS,
    doctor: WORKS,
  },
  {
    name: 'root without',
    asked: { uid: 0, drop: CRI_O_LACKS },
    expected: { ...REFUSED, reason: 'no_capability' },
    doctor: [1, /^Perf counters do not work/],
  },
];

describe('run by containerd as the kubelet asks for it', { skip, timeout: 300_000, concurrency: false }, () => {
  let containerd: Containerd;
  let pod: Pod;
  before(async () => {
    containerd = await startContainerd();
    containerd.import(imageArchive());
    pod = await containerd.runPod();
  });
  after(async () => {
    await pod?.remove();
    await containerd?.stop();
  });

  for (const { name, asked, expected, doctor } of CASES) {
    test(name, async (t) => {
      const port = await freePort();
      const args = [...ORIGIN_ARGS, '--collector.loadavg', `--web.listen-address=127.0.0.1:${port}`];
      const container = await pod.run({ image: IMAGE, args, mounts: HOST_MOUNTS, ...asked });
      try {
        const body = await get(`http://127.0.0.1:${port}/metrics`, async () => (await container.state()).running);
        const found = seen(body, container.pid);
        t.diagnostic(`${container.log().match(/msg=Privileges.*/)?.[0]}`);
        assert.deepEqual({ ...found, ...expected }, found);
        assert.equal(parseExposition(body).get('node_load1')?.samples.size, 1, 'the others work');
        const { status, out } = await container.exec('/bin/keyhole', 'doctor');
        assert.match(out, doctor[1]);
        assert.equal(status, doctor[0], out);
      } catch (error) {
        t.diagnostic(container.log());
        throw error;
      } finally {
        assert.equal((await container.remove()).running, true);
      }
    });
  }

  test("the chart's arguments and mounts, with probes while it is scraped", async (t) => {
    const port = await freePort();
    const spec = { image: IMAGE, args: chartArgs(port), mounts: CHART_MOUNTS, uid: NOBODY, readOnlyRoot: true };
    const container = await pod.run(spec);
    try {
      const url = `http://127.0.0.1:${port}`;
      await get(`${url}/`, async () => (await container.state()).running);
      const slowestMs = await probe(`${url}/`, () => get(`${url}/metrics`));
      t.diagnostic(`slowest probe: ${slowestMs.toFixed(0)} ms`);
      assert.ok(slowestMs < 1000, `${slowestMs} ms`);
      const families = parseExposition(await get(`${url}/metrics`));
      const failed = [...(families.get('node_scrape_collector_success')?.samples ?? [])].filter(
        ([, value]) => value !== 1,
      );
      t.diagnostic(`without data here: ${failed.map(([labels]) => labels).join(' ')}`);
      const sizes = [...(families.get('node_filesystem_size_bytes')?.samples.keys() ?? [])];
      assert.ok(
        sizes.some((labels) => labels.includes('mountpoint="/"')),
        `the host's root: ${sizes.join('\n')}`,
      );
      assert.ok((families.get('node_disk_info')?.samples.size ?? 0) > 0, 'the disks');
    } finally {
      await container.remove();
    }
  });
});

/** How long the slowest answer to `/` takes while `work` goes on, ten times each. */
async function probe(url: string, work: () => Promise<unknown>): Promise<number> {
  let slowestMs = 0;
  for (let i = 0; i < 10; i += 1) {
    const scrapes = Promise.all([work(), work(), work()]);
    for (let j = 0; j < 3; j += 1) {
      const startedAt = performance.now();
      await get(url);
      slowestMs = Math.max(slowestMs, performance.now() - startedAt);
    }
    await scrapes;
  }
  return slowestMs;
}
