// The seal where something of it is refused, and who serves afterwards.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import { describe, test } from 'node:test';
import { assertHarmless, command, folder, NOBODY, ONLY_PERF, outcomeOf, skip } from '../../helpers/capable.ts';
import { type Exporter, KEYHOLE, startExporter } from '../../helpers/exporter.ts';
import { threadsOf } from '../../helpers/threads.ts';

const seam = new URL('../../../src/syscall/', import.meta.url).href;

/** Starts what follows with some system calls refused, as a profile of a container may. */
const without = (policy: string): string[] => [
  process.execPath,
  '--input-type=module',
  '-e',
  `const { filterCalls } = await import('${seam}seccomp.ts');
   filterCalls(${policy});
   process.execve(process.argv[1], process.argv.slice(1), process.env);`,
];

async function serving(
  command: readonly string[],
  args: readonly string[],
  work: (exporter: Exporter) => unknown,
  env = process.env,
) {
  const exporter = await startExporter(command, args, env);
  try {
    await work(exporter);
  } finally {
    assert.equal(await exporter.stop(), 0, exporter.log());
  }
}

const pidOf = ({ child }: Exporter): number => child.pid as number;
const uidOf = (exporter: Exporter): number =>
  Number(/^Uid:\s+(\d+)\s+\1\s+\1\s+\1$/m.exec(readFileSync(`/proc/${pidOf(exporter)}/status`, 'latin1'))?.[1]);

describe('one sealed state', { skip, concurrency: false }, () => {
  test('a process that was started without any capability is as confined as one that gave them up', async () => {
    await serving([...NOBODY, ...command('none')], [], async (exporter) => {
      const body = await exporter.scrape();
      assert.match(body, /keyhole_privilege_info\{.*stage="direct"\} 1/);
      assert.match(body, /^keyhole_privilege_no_new_privs 1$/m);
      assert.match(body, /^keyhole_privilege_seccomp 1$/m);
      assert.match(body, /^keyhole_privilege_traceable 0$/m);
      for (const { noNewPrivs, seccomp } of threadsOf(pidOf(exporter)))
        assert.deepEqual([noNewPrivs, seccomp], [true, 2]);
    });
  });

  test('mode none keeps the capabilities, and is confined in everything else', async () => {
    await serving(command('none'), ['--privilege.mode=none'], (exporter) => {
      const own = threadsOf(process.pid)[0]?.permitted;
      assert.equal(uidOf(exporter), 0);
      for (const { permitted, noNewPrivs, seccomp } of threadsOf(pidOf(exporter)))
        assert.deepEqual([permitted, noNewPrivs, seccomp], [own, true, 2]);
    });
  });

  /** With a stack of 1 MiB the kernel passes a quarter of it: how much can be added to what is passed, to 8 bytes. */
  const room = (
    program: readonly string[],
    filled: (bytes: number) => { args: string[]; env: NodeJS.ProcessEnv },
  ): number => {
    let [low, high] = [0, 130_900];
    while (high - low > 8) {
      const middle = (low + high) >> 1;
      const { args, env } = filled(middle);
      const { status } = spawnSync(program[0] as string, [...program.slice(1), '--version', ...args], { env });
      if (status === 0) low = middle;
      else high = middle;
    }
    return low;
  };
  const small = ['prlimit', '--stack=1048576:1048576'];

  test('an environment that leaves no room for the hand-over loses what nobody reads', async () => {
    const program = [...NOBODY, ...small, ...command('p')];
    const filled = (bytes: number) => ({
      args: [...ONLY_PERF, '--web.listen-address=127.0.0.1:65535'],
      env: { PATH: process.env['PATH'], FILLING: 'x'.repeat(131_000), MORE: 'y'.repeat(bytes) },
    });
    const { env } = filled(room(program, filled));
    await serving(
      program,
      ONLY_PERF,
      async (exporter) => {
        assert.deepEqual(outcomeOf(await exporter.scrape()), { counters: true, stage: 'sealed', mode: 'sealed' });
        assertHarmless(exporter, 'sealed');
        assert.match(
          exporter.log(),
          /the environment is too large: only variables that are read are passed on.* dropped=2/,
        );
      },
      env,
    );
  });

  test('arguments that leave no room: one that held nothing serves, one with a capability does not', async () => {
    const few = ['--collector.disable-defaults', '--collector.loadavg'];
    const long = (bytes: number): string => `--collector.textfile.directory=/${'x'.repeat(bytes)}`;
    const filled = (bytes: number) => ({
      args: [...few, long(100_000), long(100_000), long(bytes), '--web.listen-address=127.0.0.1:65535'],
      env: {},
    });
    const direct = [...NOBODY, ...small, ...command('none')];
    const bytes = room(direct, filled);
    await serving(
      direct,
      [...few, long(100_000), long(100_000), long(bytes)],
      async (exporter) => {
        const body = await exporter.scrape();
        assert.match(exporter.log(), /cannot execute the program again.*Argument list too long/);
        assert.match(body, /^keyhole_privilege_landlock_version 0$/m);
        assert.match(body, /^keyhole_privilege_seccomp 1$/m);
        for (const { permitted, noNewPrivs, seccomp } of threadsOf(pidOf(exporter)))
          assert.deepEqual([permitted, noNewPrivs, seccomp], [0n, true, 2]);
      },
      {},
    );
    const capable = [...NOBODY, ...small, ...command('p')];
    const { status, stderr } = spawnSync(capable[0] as string, [...capable.slice(1), ...filled(bytes).args], {
      env: {},
      encoding: 'utf8',
      timeout: 20_000,
    });
    assert.equal(status, 1, stderr);
    assert.match(stderr, /cannot seal: some threads would keep the capabilities of the start/);
  });

  test('without a memory file nothing is handed over: sealed, and without counters', async () => {
    const kept = [
      'setpriv',
      '--reuid=65534',
      '--regid=65534',
      '--clear-groups',
      '--no-new-privs',
      '--inh-caps=+perfmon',
      '--ambient-caps=+perfmon',
    ];
    await serving(
      [...kept, ...without(`{ memfd_create: 'refused' }`), ...command('none')],
      ONLY_PERF,
      async (exporter) => {
        const { counters, stage } = outcomeOf(await exporter.scrape());
        assert.deepEqual([counters, stage], [false, 'direct'], exporter.log());
        assertHarmless(exporter, 'sealed');
        assert.match(exporter.log(), /cannot hand over what was opened: serving without it/);
      },
    );
  });

  test('descriptors of whoever started it are closed, whatever their numbers', async () => {
    const secret = join(folder, 'secret');
    writeFileSync(secret, 'secret');
    const [program, ...rest] = [
      'bash',
      '-c',
      'exec 9<"$0" 200<"$0"; exec "$@"',
      secret,
      'prlimit',
      '--nofile=4096',
      ...KEYHOLE,
    ];
    await serving([program as string, ...rest], [], (exporter) => {
      const fds = readdirSync(`/proc/${pidOf(exporter)}/fd`);
      const targets = fds.map((fd) => readlinkSync(`/proc/${pidOf(exporter)}/fd/${fd}`));
      assert.ok(!targets.includes(secret), targets.join());
    });
  });
});

describe('who serves when root starts it', { skip, concurrency: false }, () => {
  const closed = (owner: number, mode: number, name: string): string => {
    const texts = join(folder, name);
    mkdirSync(texts);
    writeFileSync(join(texts, 'job.prom'), 'job_runs 1\n', { mode: 0o644 });
    chownSync(texts, owner, owner);
    chmodSync(texts, mode);
    return texts;
  };

  test('nobody, where nothing is lost', async () => {
    await serving(KEYHOLE, [], async (exporter) => {
      assert.equal(uidOf(exporter), 65534, exporter.log());
      assert.match(await exporter.scrape(), /^keyhole_privilege_uid 65534$/m);
      assert.match(readFileSync(`/proc/${pidOf(exporter)}/status`, 'latin1'), /^Groups:\s*$/m);
    });
  });

  test('files of the kernel that only root opens are opened before the change', {
    skip: !existsSync('/proc/slabinfo') && 'no slabinfo',
  }, async () => {
    await serving(KEYHOLE, ['--collector.slabinfo'], async (exporter) => {
      assert.equal(uidOf(exporter), 65534, exporter.log());
      assert.match(await exporter.scrape(), /^node_slabinfo_active_objects\{/m);
    });
  });

  test('root, where a file of root would be lost; and it says which, and how to serve without it', async () => {
    const texts = closed(0, 0o700, 'root-texts');
    const args = ['--collector.disable-defaults', '--collector.textfile', `--collector.textfile.directory=${texts}`];
    await serving(KEYHOLE, args, async (exporter) => {
      assert.equal(uidOf(exporter), 0);
      assert.match(exporter.log(), /Serving as root without capabilities: .*lost="textfile: \S*root-texts/);
      assert.match(await exporter.scrape(), /^job_runs 1$/m);
      for (const { permitted, effective, bounding } of threadsOf(pidOf(exporter)))
        assert.deepEqual([permitted, effective, bounding], [0n, 0n, 0n]);
    });
    await serving(KEYHOLE, [...args, '--privilege.user=65534'], async (exporter) => {
      assert.equal(uidOf(exporter), 65534);
      assert.match(exporter.log(), /level=WARN .*this user may not read what root may.* uid=65534 lost="textfile: /i);
      assert.match(await exporter.scrape(), /^node_textfile_scrape_error 1$/m);
    });
  });

  test('a mount point behind a folder that only root may enter', async () => {
    const behind = join(folder, 'behind');
    const at = join(behind, 'mount');
    mkdirSync(at, { recursive: true, mode: 0o700 });
    // As process 1, whose mounts are read.
    const apart = ['unshare', '--mount', '--pid', '--fork', '--kill-child', '--mount-proc'];
    const mounted = [...apart, 'sh', '-c', `mount -t tmpfs none ${at} && exec "$0" "$@"`, ...KEYHOLE];
    const exporter = await startExporter(mounted, []);
    try {
      const body = await exporter.scrape();
      assert.match(exporter.log(), /lost="filesystem: \S*\/behind/);
      assert.match(body, /^keyhole_privilege_uid 0$/m);
      assert.match(body, /^node_filesystem_size_bytes\{.*behind\/mount.*\} /m);
    } finally {
      // It waits for its child, which ends with it.
      await exporter.stop('SIGKILL');
    }
  });

  test('processes that are hidden by hidepid', async () => {
    const hidden = [
      'unshare',
      '--mount',
      'sh',
      '-c',
      'mount -t proc -o hidepid=2 none /proc && exec "$0" "$@"',
      ...KEYHOLE,
    ];
    await serving(hidden, ['--collector.disable-defaults', '--collector.processes'], async (exporter) => {
      assert.equal(uidOf(exporter), 0, exporter.log());
      assert.match(exporter.log(), /lost="processes: \/proc\/1\/stat/);
    });
  });

  test('by name; and a name that is none is an error', async () => {
    await serving(KEYHOLE, ['--privilege.user=root'], (exporter) => assert.equal(uidOf(exporter), 0));
    await serving(KEYHOLE, ['--privilege.user=nobody'], (exporter) => assert.equal(uidOf(exporter), 65534));
    await serving(KEYHOLE, ['--privilege.user=4321:4322'], (exporter) => assert.equal(uidOf(exporter), 4321));
    const [program, ...rest] = [...KEYHOLE, '--privilege.user=no-such-user', '--web.listen-address=127.0.0.1:0'];
    const { status, stderr } = spawnSync(program as string, rest, { encoding: 'utf8', timeout: 20_000 });
    assert.equal(status, 1);
    assert.match(stderr, /--privilege\.user: \/etc\/passwd has no "no-such-user"/);
  });

  test('a user namespace that knows no other user: root of it stays', async () => {
    await serving(['unshare', '--user', '--map-root-user', ...KEYHOLE], [], async (exporter) => {
      assert.match(exporter.log(), /cannot become another user/);
      assert.match(await exporter.scrape(), /^keyhole_privilege_capable_threads 0$/m);
    });
  });
});
