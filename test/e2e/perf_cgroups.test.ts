// Counters of cgroups as nobody with CAP_PERFMON alone, sealed and separated: needs root to set that up.
import assert from 'node:assert/strict';
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { afterEach, describe, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { optional } from '../../src/core/errors.ts';
import { assertHarmless, command, skip as lacks, NOBODY, ONLY_PERF } from '../helpers/capable.ts';
import {
  inCgroup,
  lacksCgroups,
  makeCgroup,
  OWN,
  perfForCgroups,
  removeAll,
  removeCgroup,
  runIn,
  shutCgroup,
} from '../helpers/cgroups.ts';
import { lacksPackages, loudly } from '../helpers/debian.ts';
import { type Exporter, startExporter } from '../helpers/exporter.ts';
import { parseExposition } from '../helpers/exposition.ts';
import { threadsOf } from '../helpers/threads.ts';

const skip = lacks === false ? loudly(lacksCgroups()) : lacks;
const COUNTED = [
  ...ONLY_PERF,
  `--collector.perf.cgroup-include=^/${OWN}/`,
  '--collector.perf.cgroup-events={context-switches,page-faults}',
];
const PERFMON = 1n << 38n;
const CHURN_MS = 1000 * Number(process.env['KEYHOLE_E2E_CHURN_SECONDS'] ?? 10);

const start = (mode: string, ...more: readonly string[]): Promise<Exporter> =>
  startAs([...NOBODY, ...command('p')], mode, ...more);

async function startAs(program: readonly string[], mode: string, ...more: readonly string[]): Promise<Exporter> {
  const exporter = await startExporter(program, [...COUNTED, `--privilege.mode=${mode}`, ...more]);
  if (mode === 'separated') await until(() => isSealed(openerOf(exporter)), 'the opener seals itself');
  return exporter;
}

const isSealed = (pid: number): boolean => readFileSync(`/proc/${pid}/status`, 'utf8').includes('NoNewPrivs:\t1');

interface Seen {
  /** Counts by the cgroup's name below ours. */
  readonly switches: Readonly<Record<string, number>>;
  readonly faults: Readonly<Record<string, number>>;
  readonly states: Readonly<Record<string, number>>;
  readonly openerUp: number | undefined;
}

async function see(exporter: Exporter): Promise<Seen> {
  const families = parseExposition(await exporter.scrape());
  assert.equal(families.get('node_scrape_collector_success')?.samples.get('{collector="perf"}'), 1);
  const of = (event: string) =>
    Object.fromEntries(
      [...(families.get('node_perf_cgroup_event_total')?.samples ?? [])]
        .filter(([labels]) => labels.includes(`event="${event}"`))
        .map(([labels, value]) => [/cgroup="\/[^/]*\/([^"]*)"/.exec(labels)?.[1] ?? labels, value]),
    );
  const states = [...(families.get('keyhole_perf_cgroups')?.samples ?? [])];
  return {
    switches: of('context-switches'),
    faults: of('page-faults'),
    states: Object.fromEntries(states.map(([labels, value]) => [/"(\w+)"/.exec(labels)?.[1] ?? '', value])),
    openerUp: families.get('keyhole_perf_opener_up')?.samples.get(''),
  };
}

/** Those of counters. */
const descriptorsOf = (pid: number): number =>
  readdirSync(`/proc/${pid}/fd`).filter(
    (fd) => optional(() => readlinkSync(`/proc/${pid}/fd/${fd}`)) === 'anon_inode:[perf_event]',
  ).length;
/** More than a young heap grows by before it is collected. */
const GROWTH_MIB = 40;
const memoryMib = (pid: number): number =>
  Math.round(Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) / 1024);
const openerOf = ({ child: { pid } }: Exporter): number => {
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim();
  assert.match(children, /^\d+$/, 'one child');
  return Number(children);
};

async function until(condition: () => boolean, what: string): Promise<void> {
  for (const end = Date.now() + 10_000; !condition(); await delay(20)) if (Date.now() > end) throw new Error(what);
}

/** Some hundred switches and faults. */
const WORK = 'for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do /bin/true; done';
const near = (value: number, expected: number, what: string): void =>
  assert.ok(Math.abs(value - expected) <= 2 + expected * 0.02, `${what}: ${value}, not near ${expected}`);

describe('cgroups', { skip, concurrency: false }, () => {
  afterEach(() => removeAll());

  for (const mode of ['sealed', 'separated'])
    test(`${mode}: two cgroups, as perf stat counts them`, async (t) => {
      const lacking = loudly(lacksPackages('linux-perf'));
      if (lacking !== false) return t.skip(lacking);
      for (const name of ['a', 'b', 'a/deep']) makeCgroup(name);
      const exporter = await start(mode);
      try {
        const before = await see(exporter);
        assert.deepEqual(before.states, { counted: 3, late: 0, left_out: 0, refused: 0 });
        const work = [...inCgroup('a/deep', WORK)];
        const [ofA = 0, ofDeep = 0, ofB] = perfForCgroups('page-faults', ['a', 'a/deep', 'b'], work);
        const { faults } = await see(exporter);
        assert.ok(ofDeep > 500, `perf counts: ${ofDeep}`);
        near(faults['a/deep'] ?? 0, ofDeep, 'faults');
        near(faults['a'] ?? 0, ofA, 'those of the cgroups below are counted too');
        assert.deepEqual([faults['b'], ofB], [0, 0]);
        assertHarmless(exporter, 'sealed');
      } finally {
        assert.equal(await exporter.stop(), 0);
      }
    });

  test('sealed: what comes later is reported, and not counted; what goes has no series', async () => {
    makeCgroup('old');
    const exporter = await start('sealed');
    try {
      makeCgroup('new');
      assert.deepEqual((await see(exporter)).states, { counted: 1, late: 1, left_out: 0, refused: 0 });
      await removeCgroup('old');
      const { states, switches } = await see(exporter);
      assert.deepEqual([states['counted'], switches], [0, {}]);
      assert.match(exporter.log(), /cgroups that came after the start are not counted.*--privilege.mode=separated/);
    } finally {
      await exporter.stop();
    }
  });

  for (const mode of ['retained', 'separated'])
    test(`${mode}: no descriptor is left of cgroups that came and went`, async () => {
      const exporter = await start(mode);
      try {
        await see(exporter);
        const pid = exporter.child.pid as number;
        makeCgroup('first');
        await see(exporter);
        await removeCgroup('first');
        await see(exporter);
        // With the socket of a connection, which may be kept or not.
        const descriptors = readdirSync(`/proc/${pid}/fd`).length + 1;
        for (let i = 0; i < 10; i += 1) {
          makeCgroup(`other${i}`);
          await see(exporter);
          await removeCgroup(`other${i}`);
        }
        await see(exporter);
        assert.ok(readdirSync(`/proc/${pid}/fd`).length <= descriptors);
      } finally {
        assert.equal(await exporter.stop(), 0);
      }
    });

  test('separated: what comes later is counted with the next scrape; the same path again is another cgroup', async () => {
    makeCgroup('old');
    const exporter = await start('separated');
    try {
      await see(exporter);
      const descriptors = descriptorsOf(exporter.child.pid as number);
      makeCgroup('new');
      assert.deepEqual(Object.keys((await see(exporter)).switches), ['new', 'old']);
      runIn('new', WORK);
      assert.ok(((await see(exporter)).faults['new'] ?? 0) > 500);
      await removeCgroup('new');
      makeCgroup('new');
      assert.equal((await see(exporter)).faults['new'], 0);
      await removeCgroup('new');
      assert.deepEqual(Object.keys((await see(exporter)).switches), ['old']);
      assert.equal(descriptorsOf(exporter.child.pid as number), descriptors);
    } finally {
      assert.equal(await exporter.stop(), 0);
    }
  });

  for (const mode of ['sealed', 'separated'])
    test(`${mode}: one whose folder is shut costs itself alone`, async () => {
      for (const name of ['a', 'shut', 'z']) makeCgroup(name);
      shutCgroup('shut');
      const exporter = await start(mode);
      try {
        const { states, switches } = await see(exporter);
        assert.deepEqual(states, { counted: 2, late: 0, left_out: 0, refused: 1 });
        assert.deepEqual(Object.keys(switches), ['a', 'z']);
        assert.match(exporter.log(), /the cgroup's folder may not be read/);
      } finally {
        assert.equal(await exporter.stop(), 0);
      }
    });

  test('no more than the maximum, and those that are counted stay', async () => {
    for (const name of ['m', 'n', 'o']) makeCgroup(name);
    const exporter = await start('separated', '--collector.perf.cgroup-max=2');
    try {
      assert.deepEqual((await see(exporter)).states, { counted: 2, late: 0, left_out: 1, refused: 0 });
      makeCgroup('a');
      assert.deepEqual(Object.keys((await see(exporter)).switches), ['m', 'n']);
      await removeCgroup('m');
      assert.deepEqual(Object.keys((await see(exporter)).switches), ['a', 'n']);
    } finally {
      await exporter.stop();
    }
  });

  test('200 cgroups, and others that come and go 50 a second: no descriptor is left, nothing is stale', async (t) => {
    for (let i = 0; i < 200; i += 1) makeCgroup(`steady/${i}`);
    const exporter = await start('separated', '--collector.perf.cgroup-max=500');
    try {
      const pid = exporter.child.pid as number;
      const first = await see(exporter);
      assert.equal(first.states['counted'], 201);
      const descriptors = descriptorsOf(pid);
      const memory = () => [pid, openerOf(exporter)].map(memoryMib);
      const before = memory();
      let made = 0;
      let scraping: Promise<void> | undefined;
      // Again and again, so that cgroups come and go between being listed, being looked at and being opened.
      const scrapeOnce = async (): Promise<void> => {
        const { states } = await see(exporter);
        assert.deepEqual([states['refused'], states['left_out'], states['late']], [0, 0, 0], exporter.log());
        scraping = undefined;
      };
      for (const end = Date.now() + CHURN_MS; Date.now() < end; ) {
        scraping ??= scrapeOnce();
        const name = `churn-${made}`;
        makeCgroup(name);
        if (made % 25 === 0) runIn(name, 'true');
        // Few outlive a scrape, and most none.
        await Promise.race([scraping, delay(made % 10)]);
        await removeCgroup(name);
        made += 1;
        await delay(12);
      }
      await scraping;
      const last = await see(exporter);
      t.diagnostic(`${made} came and went; descriptors ${descriptors}; MiB ${before} then ${memory()}`);
      for (const [i, now] of memory().entries()) assert.ok(now < (before[i] ?? 0) + GROWTH_MIB);
      assert.equal(last.states['counted'], 201);
      assert.ok(Object.keys(last.switches).every((name) => name.startsWith('steady')));
      assert.equal(descriptorsOf(pid), descriptors);
      assert.equal(descriptorsOf(openerOf(exporter)), 0);
    } finally {
      assert.equal(await exporter.stop(), 0);
    }
  });
});

describe('the process that opens counters', { skip, concurrency: false }, () => {
  afterEach(() => removeAll());

  test('has CAP_PERFMON and nothing else, listens nowhere, and ends with the other', async () => {
    for (const signal of ['SIGTERM', 'SIGKILL'] as const) {
      const exporter = await start('separated');
      const opener = openerOf(exporter);
      await see(exporter);
      for (const { permitted, effective, noNewPrivs } of threadsOf(opener)) {
        assert.equal(permitted, PERFMON);
        assert.equal(effective & ~PERFMON, 0n);
        assert.equal(noNewPrivs, true);
      }
      const inodes = readFileSync(`/proc/${opener}/net/tcp`, 'utf8');
      for (const fd of readdirSync(`/proc/${opener}/fd`)) {
        const [, inode] =
          /socket:\[(\d+)\]/.exec(optional(() => readFileSync(`/proc/${opener}/fdinfo/${fd}`, 'utf8')) ?? '') ?? [];
        assert.ok(inode === undefined || !inodes.includes(` ${inode} `));
      }
      await exporter.stop(signal);
      await until(() => optional(() => readFileSync(`/proc/${opener}/stat`)) === undefined, 'it ends');
    }
  });

  test('started by root it is nobody, who owns nothing, as the one that serves', async () => {
    const exporter = await startAs(command('none'), 'separated');
    try {
      assert.equal((await see(exporter)).openerUp, 1);
      const [server = 0, opener] = [exporter.child.pid, openerOf(exporter)];
      for (const pid of [server, opener]) {
        assert.match(readFileSync(`/proc/${pid}/status`, 'utf8'), /^Uid:\t65534\t65534\t65534\t65534$/m);
      }
      for (const { permitted } of threadsOf(opener)) assert.equal(permitted, PERFMON);
    } finally {
      assert.equal(await exporter.stop(), 0);
    }
  });

  test('when it is killed the server goes on with what is open, says so, and leaves no zombie', async () => {
    makeCgroup('old');
    const exporter = await start('separated');
    try {
      assert.equal((await see(exporter)).openerUp, 1);
      const opener = openerOf(exporter);
      process.kill(opener, 'SIGKILL');
      await until(() => /^\d+ \(.*\) Z/.test(readFileSync(`/proc/${opener}/stat`, 'utf8')), 'it dies');
      makeCgroup('new');
      const { openerUp, states, switches } = await see(exporter);
      assert.deepEqual([openerUp, states], [0, { counted: 1, late: 1, left_out: 0, refused: 0 }], exporter.log());
      assert.deepEqual(Object.keys(switches), ['old']);
      assert.equal(
        optional(() => readFileSync(`/proc/${opener}/stat`)),
        undefined,
      );
      assert.match(exporter.log(), /the process that opens counters has ended: nothing/);
      assert.match(exporter.log(), /cgroups that came after the start are not counted.* remedy="start again: /);
      await see(exporter);
    } finally {
      assert.equal(await exporter.stop(), 0);
    }
  });
});
