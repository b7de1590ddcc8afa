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
  readFileSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import { describe, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { collectors } from '../../src/collectors/index.ts';
import { optional } from '../../src/core/errors.ts';
import { assertHarmless, command, folder, NOBODY, ONLY_PERF, outcomeOf, run, skip } from '../helpers/capable.ts';
import { lacksPackages, loudly } from '../helpers/debian.ts';
import { freePort, KEYHOLE, startExporter } from '../helpers/exporter.ts';
import { parseExposition } from '../helpers/exposition.ts';
import { threadsOf } from '../helpers/threads.ts';

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
    chownSync(texts, 1234, 1234);
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

  test('a count of sockets that is too high does not keep the seal from being done', async () => {
    const stale = ['sh', '-c', 'LISTEN_PID=$$ LISTEN_FDS=999 exec "$@"', 'sh'];
    assert.equal((await run([...NOBODY, ...stale, ...command('p')])).stage, 'sealed');
  });

  test('sockets of systemd', async (t) => {
    const lacking = loudly(lacksPackages('systemd'));
    if (lacking !== false) return t.skip(lacking);
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

  test('forged for itself by a process that then executes the file: it names a seal that never was', () => {
    const seam = new URL('../../src/privilege/handover.ts', import.meta.url).href;
    const script = `
      const { writeHandover } = await import(${JSON.stringify(seam)});
      const { variable } = writeHandover({ acquired: new Map(), permittedAtStart: 0n, keep: 0n, wasCapable: false });
      process.execve(process.argv[1], process.argv.slice(1), { ...process.env, KEYHOLE_HANDOVER: variable });`;
    const forger = [...NOBODY, process.execPath, '--input-type=module', '-e', script, ...command('p')];
    const [program, ...rest] = [...forger, '--web.listen-address=127.0.0.1:0'];
    const { status, stderr } = spawnSync(program as string, rest, { encoding: 'utf8', timeout: 10_000 });
    assert.equal(status, 1, stderr);
    assert.match(stderr, /no seal came before it: perfmon permitted/);
  });

  test('stale: one that was written for another process', () => {
    const seam = new URL('../../src/privilege/handover.ts', import.meta.url).href;
    // Writes a hand-over for itself, and starts the program as a child that inherits it.
    const script = `
      import { spawnSync } from 'node:child_process';
      const { writeHandover } = await import(${JSON.stringify(seam)});
      const { fds, variable } = writeHandover({ acquired: new Map(), permittedAtStart: 0n, keep: 0n, wasCapable: false });
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
      assert.match(exporter.log(), /closed again: it is no kernel file, and this user may not read it/);
      assertHarmless(exporter, 'sealed');
    } finally {
      await exporter.stop();
    }
  });
});
