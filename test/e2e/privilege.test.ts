// What Keyhole does with privileges, on the real kernel: needs root, setpriv and unshare (util-linux), setcap (libcap2-bin).
import assert from 'node:assert/strict';
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  chownSync,
  copyFileSync,
  globSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { after, before, describe, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { collectors } from '../../src/collectors/index.ts';
import { optional } from '../../src/core/errors.ts';
import { type Exporter, freePort, KEYHOLE, startExporter } from '../helpers/exporter.ts';
import { parseExposition } from '../helpers/exposition.ts';
import { threadsOf } from '../helpers/threads.ts';

const has = (program: string): boolean => spawnSync('which', [program]).status === 0;
const missing = ['setpriv', 'unshare', 'setcap', 'mount'].filter((program) => !has(program));
const skip = process.getuid?.() !== 0 ? 'needs root' : missing.length > 0 ? `needs ${missing.join(', ')}` : false;

const NOBODY = ['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups'] as const;
const ONLY_PERF = [
  '--collector.disable-defaults',
  '--collector.perf',
  '--collector.perf.disable-hardware-profilers',
  '--collector.perf.disable-cache-profilers',
] as const;
const PARANOID = '/proc/sys/kernel/perf_event_paranoid';
const ONLINE = readFileSync('/sys/devices/system/cpu/online', 'latin1').trim();

type FileCapability = 'none' | 'p' | 'ep';
const FILES: readonly FileCapability[] = ['none', 'p', 'ep'];

let folder = '';

/** The program, or the interpreter that runs it, with this capability in its file. */
const command = (capability: FileCapability, at = folder): string[] => [
  join(at, `keyhole-${capability}`),
  ...KEYHOLE.slice(1),
];

if (skip === false) {
  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'keyhole-privilege-'));
    chmodSync(folder, 0o755);
    for (const capability of FILES) {
      const file = join(folder, `keyhole-${capability}`);
      copyFileSync(KEYHOLE[0] as string, file);
      chmodSync(file, 0o755);
      if (capability !== 'none') execFileSync('setcap', [`cap_perfmon=${capability}`, file]);
    }
  });
  after(() => rmSync(folder, { recursive: true, force: true }));
}

interface Outcome {
  readonly counters: boolean;
  readonly stage: string;
  readonly mode: string;
}

/** Every CPU has its counter, or the collector says that it failed; nothing between. */
function outcomeOf(body: string): Outcome {
  const families = parseExposition(body);
  const success = families.get('node_scrape_collector_success')?.samples.get('{collector="perf"}');
  const counters = families.get('node_perf_context_switches_total')?.samples.size ?? 0;
  assert.equal(success, counters > 0 ? 1 : 0);
  if (counters > 0) assert.equal(`0-${counters - 1}`.replace(/^0-0$/, '0'), ONLINE, 'the CPUs that are counted');
  const [info = ''] = families.get('keyhole_privilege_info')?.samples.keys() ?? [];
  const [, mode = '', stage = ''] = /mode="(\w+)".*stage="(\w+)"/.exec(info) ?? [];
  return { counters: counters > 0, stage, mode };
}

/** Starts, scrapes once, looks at every thread, ends. Whatever happens, the process must serve. */
async function run(wrapped: readonly string[], args: readonly string[] = ONLY_PERF): Promise<Outcome> {
  const exporter = await startExporter(wrapped, args);
  try {
    const outcome = outcomeOf(await exporter.scrape());
    if (outcome.mode === 'sealed') assertHarmless(exporter, outcome.stage);
    return outcome;
  } finally {
    assert.equal(await exporter.stop(), 0, 'the exit status');
  }
}

function assertHarmless({ child, log }: Exporter, stage: string): void {
  const threads = threadsOf(child.pid as number);
  assert.ok(threads.length > 1);
  for (const { permitted, effective, inheritable, ambient, noNewPrivs } of threads) {
    assert.deepEqual([permitted, effective, inheritable, ambient], [0n, 0n, 0n, 0n], log());
    if (stage === 'sealed') assert.equal(noNewPrivs, true);
  }
}

async function retrying<T>(attempt: () => Promise<T>): Promise<T> {
  for (const until = Date.now() + 10_000; ; await delay(50)) {
    try {
      return await attempt();
    } catch (error) {
      if (Date.now() > until) throw error;
    }
  }
}

const readOr = (path: string): string => optional(() => readFileSync(path, 'latin1')) ?? '';

/** The row of a table: whether there are counters with no file capability, with `=p`, with `=ep`; `fails` is no start at all. */
type Row = readonly [name: string, prefix: readonly string[], ...want: readonly (boolean | 'fails')[]];

const shell = ['sh', '-c', 'exec "$0" "$@"'] as const;
const kept = ['--inh-caps=+perfmon', '--ambient-caps=+perfmon'] as const;

const ROWS: readonly Row[] = [
  ['full bounding set', [...NOBODY], false, true, true],
  ['bounding set without PERFMON', [...NOBODY, '--bounding-set=-perfmon'], false, false, 'fails'],
  ['no_new_privs, permitted kept before the exec', [...NOBODY, '--no-new-privs'], false, true, true],
  ['no_new_privs behind a shell', [...NOBODY, '--no-new-privs', ...shell], false, false, false],
  ['ambient', [...NOBODY, ...kept], true, true, true],
  ['ambient and no_new_privs', [...NOBODY, ...kept, '--no-new-privs'], true, true, true],
  ['inheritable only', [...NOBODY, '--inh-caps=+perfmon'], false, true, true],
  ['user namespace', ['unshare', '--user', '--map-root-user'], false, false, false],
];

describe('what the kernel gives', { skip, concurrency: false }, () => {
  for (const [name, prefix, ...wants] of ROWS) {
    for (const [i, want] of wants.entries()) {
      const capability = FILES[i] as FileCapability;
      test(`${name}, file capability ${capability}`, async () => {
        if (want === 'fails') {
          // The kernel's answer to =ep, and why Keyhole's file has =p.
          const { status, stderr } = spawnSync(prefix[0] as string, [
            ...prefix.slice(1),
            ...command(capability),
            '--version',
          ]);
          assert.notEqual(status, 0);
          assert.match(String(stderr), /Operation not permitted/);
          return;
        }
        assert.equal((await run([...prefix, ...command(capability)])).counters, want);
      });
    }
  }

  test('a nosuid mount gives nothing, and starts all the same', async () => {
    const mounted = `mount --bind ${folder} ${folder} && mount -o remount,bind,nosuid ${folder} && exec "$0" "$@"`;
    for (const capability of FILES) {
      const wrapped = ['unshare', '--mount', 'sh', '-c', mounted, ...NOBODY, ...command(capability)];
      assert.equal((await run(wrapped)).counters, false, capability);
    }
  });

  test('the paranoid level decides without the capability, and not with it', async (t) => {
    const level = readFileSync(PARANOID, 'latin1');
    t.after(() => writeFileSync(PARANOID, level));
    for (const paranoid of [-1, 0, 1, 2, 3, 4]) {
      writeFileSync(PARANOID, String(paranoid));
      const without = await run([...NOBODY, ...command('none')]);
      assert.deepEqual([without.counters, without.stage], [paranoid <= 0, 'direct'], `paranoid ${paranoid}, none`);
      const perfmon = await run([...NOBODY, ...command('p')]);
      assert.deepEqual([perfmon.counters, perfmon.stage], [true, 'sealed'], `paranoid ${paranoid}, perfmon`);
    }
  });
});

describe('what is left after the seal', { skip, concurrency: false }, () => {
  test('root keeps nothing, and the bounding set is empty too', async () => {
    const exporter = await startExporter(command('none'), ONLY_PERF);
    try {
      const { counters, stage } = outcomeOf(await exporter.scrape());
      assert.deepEqual([counters, stage], [true, 'sealed']);
      assertHarmless(exporter, stage);
      for (const { bounding } of threadsOf(exporter.child.pid as number)) assert.equal(bounding, 0n);
      assert.match(exporter.log(), /msg=Privileges stage=sealed mode=sealed .* permitted=none capable_threads=0/);
    } finally {
      await exporter.stop();
    }
  });

  test('root without SETPCAP, and root whose file has =ep, seal too', async () => {
    const weaker = await run(['setpriv', '--bounding-set=-setpcap', ...command('none')]);
    assert.deepEqual([weaker.counters, weaker.stage], [true, 'sealed']);
    const promised = await run(command('ep'));
    assert.deepEqual([promised.counters, promised.stage], [true, 'sealed']);
  });

  test('root loses nothing of what it reads', async () => {
    const switchedOn = collectors.map(({ name }) => `--collector.${name}`);
    const series = async (mode: string): Promise<string[]> => {
      const exporter = await startExporter(command('none'), [...switchedOn, `--privilege.mode=${mode}`]);
      try {
        const families = parseExposition(await exporter.scrape());
        return [...families].flatMap(([name, { samples }]) =>
          [...samples]
            .filter(([, value]) => value !== 0 || !name.includes('_scrape_'))
            .map(([labels]) => name + labels),
        );
      } finally {
        await exporter.stop();
      }
    };
    const [sealed, none] = [new Set(await series('sealed')), await series('none')];
    // States of processes and sockets come and go meanwhile.
    const lost = none.filter(
      (name) => name.startsWith('node_') && !sealed.has(name) && !/^node_(processes|tcp_connection)_/.test(name),
    );
    assert.deepEqual(lost, []);
    assert.ok(
      none.some((name) => name.startsWith('node_slabinfo_')),
      'a file that only root may read',
    );
  });

  test('root loses what belongs to other users and is closed to everybody else', async () => {
    const texts = join(folder, 'texts');
    mkdirSync(texts);
    writeFileSync(join(texts, 'job.prom'), 'job_runs 1\n');
    chownSync(texts, 65534, 65534);
    chmodSync(texts, 0o700);
    const found = async (mode: string): Promise<string[]> => {
      const args = ['--collector.disable-defaults', '--collector.textfile', `--collector.textfile.directory=${texts}`];
      const exporter = await startExporter(command('none'), [...args, `--privilege.mode=${mode}`]);
      try {
        const families = parseExposition(await exporter.scrape());
        const error = families.get('node_textfile_scrape_error')?.samples.get('');
        return [`error ${error}`, ...(families.has('job_runs') ? ['job_runs'] : [])];
      } finally {
        await exporter.stop();
      }
    };
    assert.deepEqual(await found('none'), ['error 0', 'job_runs']);
    assert.deepEqual(await found('sealed'), ['error 1'], 'told, not silent');
  });

  test('retained keeps what perf needs, permitted; none keeps all', async () => {
    const retained = await startExporter([...NOBODY, ...command('p')], [...ONLY_PERF, '--privilege.mode=retained']);
    try {
      assert.deepEqual(outcomeOf(await retained.scrape()), { counters: true, stage: 'retained', mode: 'retained' });
      for (const { permitted, effective, noNewPrivs } of threadsOf(retained.child.pid as number))
        assert.deepEqual([permitted, effective, noNewPrivs], [1n << 38n, 0n, true]);
    } finally {
      await retained.stop();
    }
    const none = await run([...NOBODY, ...command('p')], [...ONLY_PERF, '--privilege.mode=none']);
    assert.deepEqual(none, { counters: true, stage: 'unsealed', mode: 'none' });
  });
});

describe('what survives the exec', { skip, concurrency: false }, () => {
  test('the process, its environment, its arguments and its limits', async () => {
    const prefix = ['prlimit', '--nofile=256:4096', ...NOBODY, ...command('p')];
    const env = { ...process.env, SURVIVES: 'a "b"\n c' };
    const exporter = await startExporter(prefix, [...ONLY_PERF, '--collector.perf.cpus=0'], env);
    try {
      const pid = exporter.child.pid as number;
      const environment = readFileSync(`/proc/${pid}/environ`, 'utf8').split('\0');
      assert.ok(environment.includes('SURVIVES=a "b"\n c'));
      const families = parseExposition(await exporter.scrape());
      assert.deepEqual([...(families.get('node_perf_context_switches_total')?.samples.keys() ?? [])], ['{cpu="0"}']);
      assert.match(readFileSync(`/proc/${pid}/limits`, 'latin1'), /^Max open files\s+4096\s+4096/m);
      assert.match(readFileSync(`/proc/${pid}/cmdline`, 'latin1'), /--collector\.perf\.cpus=0/);
    } finally {
      assert.equal(await exporter.stop(), 0);
    }
  });

  test('a wrong command line ends with status 1, before or after', () => {
    const [program, ...rest] = [...NOBODY, ...command('p')];
    for (const wrong of ['--no-such-flag', '--web.listen-address=no-such-host.invalid:1']) {
      const { status, stderr } = spawnSync(program as string, [...rest, wrong], { encoding: 'utf8' });
      assert.equal(status, 1, stderr);
      assert.match(stderr, /error: /);
    }
  });

  test('ports that only a privilege may listen on, where there is one', async () => {
    const bind = ['--inh-caps=+net_bind_service', '--ambient-caps=+net_bind_service'];
    const [program, ...rest] = [...NOBODY, ...bind, ...command('none'), '--collector.disable-defaults'];
    const child = spawn(program as string, [...rest, '--web.listen-address=127.0.0.1:887'], { stdio: 'ignore' });
    try {
      const body = await retrying(async () => (await fetch('http://127.0.0.1:887/metrics')).text());
      assert.match(body, /^keyhole_privilege_descriptors\{owner="web"\} 1$/m);
      for (const { permitted, effective, ambient } of threadsOf(child.pid as number))
        assert.deepEqual([permitted, effective, ambient], [0n, 0n, 0n]);
    } finally {
      child.kill('SIGTERM');
      assert.deepEqual(await once(child, 'exit'), [0, null]);
    }
  });

  test('sockets of systemd', async (t) => {
    if (!has('systemd-socket-activate')) return t.skip('systemd-socket-activate is missing');
    const address = `127.0.0.1:${await freePort()}`;
    const activated = ['systemd-socket-activate', '-l', address, ...NOBODY, ...command('p')];
    const [program, ...rest] = activated;
    const child = spawn(program as string, [...rest, ...ONLY_PERF, '--web.systemd-socket'], { stdio: 'ignore' });
    t.after(() => child.kill('SIGKILL'));
    // It starts the program at the first connection, and that one waits.
    const body = await retrying(async () => (await fetch(`http://${address}/metrics`)).text());
    assert.deepEqual(outcomeOf(body), { counters: true, stage: 'sealed', mode: 'sealed' });
    child.kill('SIGTERM');
    assert.deepEqual(await once(child, 'exit'), [0, null]);
  });
});

describe('what is handed over is not believed', { skip, concurrency: false }, () => {
  const started = (variable: string) =>
    spawnSync(command('none')[0] as string, [...command('none').slice(1), '--web.listen-address=127.0.0.1:0'], {
      env: { ...process.env, KEYHOLE_HANDOVER: variable },
      encoding: 'utf8',
      timeout: 10_000,
    });

  test('forged', () => {
    for (const [variable, why] of [
      ['x', /is no descriptor and nonce/],
      [`0.${'0'.repeat(32)}`, /descriptor 0 is /],
      [`500.${'0'.repeat(32)}`, /descriptor 500: ENOENT/],
    ] as const) {
      const { status, stderr } = started(variable);
      assert.equal(status, 1, stderr);
      assert.match(stderr, why);
    }
  });

  test('stale: one that was written for another process', () => {
    const seam = new URL('../../src/privilege/handover.ts', import.meta.url).href;
    // Writes a hand-over for itself, and starts the program as a child that inherits it.
    const script = `
      import { spawnSync } from 'node:child_process';
      const { writeHandover } = await import(${JSON.stringify(seam)});
      const { fds, variable } = writeHandover({ acquired: new Map(), permittedAtStart: 0n, keep: 0n });
      const [program, ...args] = process.argv.slice(1);
      const at = (fd) => Array.from({ length: fd + 1 }, (_, i) => (i === fd ? fd : i < 3 ? 'inherit' : 'ignore'));
      const { status } = spawnSync(program, args, { stdio: at(fds[0]), env: { ...process.env, KEYHOLE_HANDOVER: variable } });
      process.exitCode = status;`;
    const { status, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', script, ...command('none')], {
      encoding: 'utf8',
    });
    assert.equal(status, 1, stderr);
    assert.match(stderr, /it is for process \d+, this is \d+/);
  });
});

describe('a file capability lends nothing to the user', { skip, concurrency: false }, () => {
  test('a path that the user chose is not opened with it, a file of the kernel is', async (t) => {
    const reader = join(folder, 'keyhole-reader');
    copyFileSync(KEYHOLE[0] as string, reader);
    chmodSync(reader, 0o755);
    execFileSync('setcap', ['cap_dac_read_search=p', reader]);
    const kernelOnly = globSync('/sys/kernel/slab/*/total_objects').find((path) => /^\d+$/m.test(readOr(path)));
    if (kernelOnly === undefined) return t.skip('the kernel has no /sys/kernel/slab');
    const secret = join(folder, 'secret');
    writeFileSync(secret, '77\n', { mode: 0o400 });
    const sysfs = join(folder, 'sys');
    for (const [i, target] of [secret, kernelOnly].entries()) {
      const zone = join(sysfs, `class/powercap/intel-rapl:${i}`);
      mkdirSync(zone, { recursive: true });
      writeFileSync(join(zone, 'name'), `package-${i}\n`);
      symlinkSync(target, join(zone, 'energy_uj'));
    }
    const args = ['--collector.disable-defaults', '--collector.rapl', `--path.sysfs=${sysfs}`];
    const exporter = await startExporter([...NOBODY, reader, ...KEYHOLE.slice(1)], args);
    try {
      const body = await exporter.scrape();
      const labels = [...(parseExposition(body).get('node_rapl_package_joules_total')?.samples.keys() ?? [])];
      assert.equal(labels.length, 1, body);
      assert.match(labels[0] as string, /index="1"/);
      assert.match(exporter.log(), /closed again: no kernel file, and not open to this user/);
      assertHarmless(exporter, 'sealed');
    } finally {
      await exporter.stop();
    }
  });
});

// From sources most of a start is reading them, twice.
const skipCost = skip === false && KEYHOLE.length > 1 ? 'needs dist/keyhole' : skip;

describe('what the seal costs', { skip: skipCost, concurrency: false }, () => {
  const RUNS = 9;
  const median = (all: number[]): number => all.sort((a, b) => a - b)[Math.floor(all.length / 2)] as number;

  test('start to first answer takes at most 1.5 times as long', async (t) => {
    const startOnce = async (mode: string): Promise<number> => {
      const startedAt = performance.now();
      const exporter = await startExporter(
        [...NOBODY, ...command('p')],
        ['--collector.perf', `--privilege.mode=${mode}`],
      );
      await exporter.scrape();
      const tookMs = performance.now() - startedAt;
      await exporter.stop();
      return tookMs;
    };
    const took: Record<'none' | 'sealed', number[]> = { none: [], sealed: [] };
    // Turn by turn, so that both see the same machine.
    for (let i = 0; i < RUNS; i += 1)
      for (const mode of ['none', 'sealed'] as const) took[mode].push(await startOnce(mode));
    const [none, sealed] = [median(took.none), median(took.sealed)];
    t.diagnostic(
      `start to first answer: ${none.toFixed(0)} ms, with the seal ${sealed.toFixed(0)} ms: ${(sealed / none).toFixed(2)}`,
    );
    assert.ok(sealed / none <= 1.5, `${sealed} ms against ${none} ms`);
  });
});
