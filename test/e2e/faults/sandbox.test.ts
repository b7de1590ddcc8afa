// What code can do that has taken over the process: tried from inside, with gdb as root.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { after, before, describe, test } from 'node:test';
import { collectors } from '../../../src/collectors/index.ts';
import { landlockVersion } from '../../../src/syscall/landlock.ts';
import { lacksPackages, loudly, notRoot } from '../../helpers/debian.ts';
import { type Exporter, KEYHOLE, startExporter } from '../../helpers/exporter.ts';
import { parseExposition } from '../../helpers/exposition.ts';
import { type Attempt, attempt } from '../../helpers/inside.ts';
import { threadsOf } from '../../helpers/threads.ts';

const skip = loudly(notRoot() || lacksPackages('gdb', 'util-linux'));
const version = skip === false ? landlockVersion() : 0;
const skipLandlock = skip || loudly(version === 0 && 'this kernel has no Landlock');
const NOBODY = ['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups'] as const;

let folder = '';
if (skip === false) {
  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'keyhole-sandbox-'));
    chmodSync(folder, 0o755);
  });
  after(() => rmSync(folder, { recursive: true, force: true }));
}

const AT_FDCWD = -100;
const WRITE_NEW = 0o101;
const AF_INET = 2;
const AF_UNIX = 1;
const AF_NETLINK = 16;
const AF_VSOCK = 40;
const CLONE_NEWUSER = 0x10000000;
const SIGCHLD = 17;
const PTRACE_ATTACH = 16;
const loopback = Buffer.from([AF_INET, 0, 0, 80, 127, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0]);

/** What is tried, and what the kernel must answer. */
const REFUSED: readonly (readonly [what: string, attempt: Attempt, answer: string])[] = [
  ['write a file', ['openat', AT_FDCWD, '/tmp/keyhole-written', WRITE_NEW, 0o644], 'EPERM'],
  ['write a file of the kernel', ['openat', AT_FDCWD, '/proc/sys/kernel/core_pattern', 1], 'EPERM'],
  ['make a folder', ['mkdirat', AT_FDCWD, '/tmp/keyhole-made', 0o755], 'EPERM'],
  ['remove a file', ['unlinkat', AT_FDCWD, '/tmp/keyhole-nothing', 0], 'EPERM'],
  ['rename a file', ['renameat2', AT_FDCWD, '/tmp/keyhole-a', AT_FDCWD, '/tmp/keyhole-b', 0], 'EPERM'],
  ['make a link', ['symlinkat', '/etc', AT_FDCWD, '/tmp/keyhole-link'], 'EPERM'],
  ['change a mode', ['fchmodat', AT_FDCWD, '/tmp', 0o777], 'EPERM'],
  ['execute a program', ['execve', '/bin/true', 0, 0], 'EPERM'],
  ['start a process', ['clone', SIGCHLD, 0, 0, 0, 0], 'EPERM'],
  ['open a TCP socket', ['socket', AF_INET, 1, 0], 'EPERM'],
  ['open a UDP socket', ['socket', AF_INET, 2, 0], 'EPERM'],
  ['open a Unix socket', ['socket', AF_UNIX, 1, 0], 'EPERM'],
  ['open a socket to the host', ['socket', AF_VSOCK, 1, 0], 'EPERM'],
  ['ask another netlink protocol', ['socket', AF_NETLINK, 3, 15], 'EPERM'],
  ['connect', ['connect', 0, loopback, loopback.length], 'EPERM'],
  ['bind', ['bind', 0, loopback, loopback.length], 'EPERM'],
  ['listen', ['listen', 0, 1], 'EPERM'],
  ['trace its parent', ['ptrace', PTRACE_ATTACH, process.pid, 0, 0], 'EPERM'],
  ['have a handle of another process', ['pidfd_open', process.pid, 0], 'EPERM'],
  ["take another process's descriptor", ['pidfd_getfd', 0, 0, 0], 'EPERM'],
  ['signal another process', ['kill', process.pid, 0], 'EPERM'],
  ["read another process's memory", ['process_vm_readv', process.pid, 0, 0, 0, 0, 0], 'EPERM'],
  ['make a namespace', ['unshare', CLONE_NEWUSER], 'EPERM'],
  ['mount', ['mount', 0, 0, 0, 0, 0], 'EPERM'],
  ['open a counter', ['perf_event_open', 0, 0, 0, 0, 0], 'EPERM'],
  ['load a BPF program', ['bpf', 0, 0, 0], 'EPERM'],
  ['load a module', ['init_module', 0, 0, 0], 'EPERM'],
  ['use io_uring', ['io_uring_setup', 1, 0], 'EPERM'],
  ['use keys', ['add_key', 0, 0, 0, 0, 0], 'EPERM'],
  ['become traceable', ['prctl', 4, 1, 0, 0, 0], 'EPERM'],
  ['become root', ['setresuid', 0, 0, 0], 'EPERM'],
];
/** By Landlock: whoever may read it by its mode. */
const UNREADABLE = ['/etc/shadow', '/etc/passwd', '/root', '/home', '/', '/proc/1/environ', '/boot'].filter((path) =>
  existsSync(path),
);
const reading = (path: string): Attempt => ['openat', AT_FDCWD, path, 0];
/** What it goes on doing. */
const ALLOWED: readonly Attempt[] = [
  reading('/proc/stat'),
  reading('/sys/devices/system/cpu/online'),
  ['socket', AF_NETLINK, 3, 0],
];

async function serving<T>(
  command: readonly string[],
  args: readonly string[],
  work: (exporter: Exporter) => T | Promise<T>,
): Promise<T> {
  const exporter = await startExporter(command, args);
  try {
    return await work(exporter);
  } finally {
    await exporter.stop();
  }
}

const pidOf = ({ child }: Exporter): number => child.pid as number;
const figureOf = (body: string, family: string): number | undefined =>
  parseExposition(body).get(family)?.samples.values().next().value;

describe('from inside', { skip, concurrency: false }, () => {
  // `worker` was there before the first line of the program ran: a sandbox of one thread would leave it out.
  for (const thread of ['main', 'worker'] as const)
    test(`the ${thread} thread of a process that root started is refused what an exporter never does`, async (t) => {
      await serving(KEYHOLE, [], async (exporter) => {
        const answers = attempt(
          pidOf(exporter),
          REFUSED.map(([, each]) => each),
          thread,
        );
        for (const [i, [what]] of REFUSED.entries()) t.diagnostic(`${what}: ${answers[i]}`);
        assert.deepEqual(
          answers.map((answer, i) => `${REFUSED[i]?.[0]}: ${answer}`),
          REFUSED.map(([what, , answer]) => `${what}: ${answer}`),
        );
        assert.deepEqual(
          attempt(pidOf(exporter), ALLOWED, thread),
          ALLOWED.map(() => 'ok'),
        );
        assert.match(await exporter.scrape(), /^node_load1 /m, 'it serves on');
      });
    });

  test('files beyond the trees cannot be read, by whichever thread', { skip: skipLandlock }, async () => {
    await serving(KEYHOLE, [], (exporter) => {
      for (const thread of ['main', 'worker'] as const) {
        const answers = attempt(pidOf(exporter), UNREADABLE.map(reading), thread);
        assert.deepEqual(
          answers,
          UNREADABLE.map(() => 'EACCES'),
          UNREADABLE.join(),
        );
      }
    });
  });

  test('without the sandbox they can: the attempts can succeed', async () => {
    await serving(KEYHOLE, ['--privilege.sandbox=off'], async (exporter) => {
      const tried: readonly Attempt[] = [reading('/etc/passwd'), ['socket', AF_INET, 1, 0], ['kill', process.pid, 0]];
      // It serves as another user all the same, who may not signal root's processes.
      assert.deepEqual(attempt(pidOf(exporter), tried), ['ok', 'ok', 'EPERM']);
      const body = await exporter.scrape();
      assert.equal(figureOf(body, 'keyhole_privilege_landlock_version'), 0);
      assert.equal(figureOf(body, 'keyhole_privilege_seccomp'), 0);
      assert.equal(figureOf(body, 'keyhole_privilege_traceable'), 0);
      assert.equal(figureOf(body, 'keyhole_privilege_no_new_privs'), 1);
    });
  });
});

describe('from outside', { skip, concurrency: false }, () => {
  test('a process of the same user cannot trace it, nor take a descriptor, with the sandbox or without', async () => {
    const seam = new URL('../../../src/syscall/libc.ts', import.meta.url).href;
    const script = `
      const { syscall } = await import(${JSON.stringify(seam)});
      const pid = Number(process.argv[1]);
      const answer = (work) => { try { work(); return 'ok'; } catch (error) { return error.code; } };
      const handle = syscall('pidfd_open', pid, 0);
      process.stdout.write(answer(() => syscall('pidfd_getfd', handle, 2, 0)) + ' ' + answer(() => syscall('ptrace', 0x4206, pid, 0, 0)));`;
    const tryOn = (pid: number): string => {
      // Where everybody can read it: the sources may be below a folder that nobody else may enter.
      const [program, ...rest] = [...NOBODY, process.execPath, '--input-type=module', '-e', script, String(pid)];
      return spawnSync(program as string, rest, { encoding: 'utf8' }).stdout;
    };
    for (const sandbox of ['auto', 'off'])
      await serving([...NOBODY, ...KEYHOLE], [`--privilege.sandbox=${sandbox}`], (exporter) => {
        assert.equal(tryOn(pidOf(exporter)), 'EPERM EPERM', sandbox);
      });
  });
});

describe('what the sandbox leaves', { skip, concurrency: false }, () => {
  const seriesOf = (body: string): string[] =>
    [...parseExposition(body)].flatMap(([name, { samples }]) => [...samples.keys()].map((labels) => name + labels));
  /** What comes and goes by itself. */
  const MOVES = /^(node_(processes|tcp_connection|buddyinfo|schedstat|softirqs)|nodejs_|process_|keyhole_|promhttp_)/;

  for (const [who, prefix] of [
    ['root', []],
    ['nobody', NOBODY],
  ] as const)
    test(`started by ${who}, all collectors give with it what they give without`, async () => {
      const all = collectors.map(({ name }) => `--collector.${name}`);
      const texts = join(folder, `texts-${who}`);
      const elsewhere = join(folder, `elsewhere-${who}`);
      for (const path of [texts, elsewhere]) mkdirSync(path);
      writeFileSync(join(texts, 'job.prom'), 'job_runs 1\n');
      writeFileSync(join(elsewhere, 'linked.prom'), 'linked_runs 1\n');
      symlinkSync(join(elsewhere, 'linked.prom'), join(texts, 'linked.prom'));
      const args = [
        ...all,
        `--collector.textfile.directory=${texts}`,
        '--collector.netclass.netlink',
        '--collector.netdev.device-exclude=^nothing$',
      ];
      const scrape = (sandbox: string): Promise<string> =>
        serving([...prefix, ...KEYHOLE], [...args, `--privilege.sandbox=${sandbox}`], async (exporter) => {
          await exporter.scrape();
          return exporter.scrape();
        });
      const [without, within] = [await scrape('off'), await scrape('auto')];
      assert.ok((figureOf(within, 'keyhole_privilege_seccomp') ?? 0) === 1);
      assert.equal(figureOf(within, 'keyhole_privilege_landlock_version'), version);
      const there = new Set(seriesOf(within));
      assert.ok(there.has('linked_runs') && there.has('job_runs'));
      assert.deepEqual(
        seriesOf(without).filter((series) => !there.has(series) && !MOVES.test(series)),
        [],
      );
      const succeeded = (body: string): string[] =>
        [...(parseExposition(body).get('node_scrape_collector_success')?.samples ?? [])]
          .filter(([, value]) => value === 1)
          .map(([labels]) => labels);
      assert.deepEqual(succeeded(within), succeeded(without));
      // The figures of the process itself, whose files in /proc are root's now.
      for (const family of ['process_open_fds', 'process_resident_memory_bytes', 'process_max_fds'])
        assert.ok((figureOf(within, family) ?? 0) > 0, family);
    });

  test('a host by its name to listen on, a web configuration with keys, a folder of texts that is made later', async () => {
    const texts = join(folder, 'later/deep/down/texts');
    mkdirSync(join(folder, 'later/deep/down'), { recursive: true });
    const web = join(folder, 'web.yml');
    writeFileSync(web, 'http_server_config:\n  headers:\n    X-Frame-Options: deny\n');
    const args = [
      `--web.config.file=${web}`,
      `--collector.textfile.directory=${texts}`,
      '--web.listen-address=localhost:0',
    ];
    await serving(KEYHOLE, args, async (exporter) => {
      mkdirSync(texts);
      writeFileSync(join(texts, 'late.prom'), 'late_runs 1\n');
      writeFileSync(`${web}.new`, 'http_server_config:\n  headers:\n    X-Frame-Options: sameorigin\n');
      const { renameSync } = await import('node:fs');
      renameSync(`${web}.new`, web);
      const answer = await fetch(`${exporter.url}/metrics`);
      assert.equal(answer.headers.get('x-frame-options'), 'sameorigin');
      assert.match(await answer.text(), /^late_runs 1$/m);
    });
  });

  test('an executable that nobody may read serves, and is never traceable', {
    skip: KEYHOLE.length > 1 && 'needs dist/keyhole',
  }, async () => {
    const closed = join(folder, 'keyhole-closed');
    copyFileSync(KEYHOLE[0] as string, closed);
    chmodSync(closed, 0o711);
    await serving([...NOBODY, closed], [], async (exporter) => {
      assert.match(await exporter.scrape(), /^node_load1 /m);
    });
  });
});

describe('a container that forbids it', { skip, concurrency: false }, () => {
  test('require ends the start where the kernel refuses, auto serves and says so', { skip: skipLandlock }, async () => {
    // A filter that answers ENOSYS to Landlock's calls, as kernels before 5.13 do.
    const seam = new URL('../../../src/syscall/', import.meta.url).href;
    const script = `
      const { filterCalls } = await import('${seam}seccomp.ts');
      const { setNoNewPrivs } = await import('${seam}capability.ts');
      setNoNewPrivs();
      filterCalls({ landlock_create_ruleset: 'unknown' });
      process.execve(process.argv[1], process.argv.slice(1), process.env);`;
    const old = [process.execPath, '--input-type=module', '-e', script, ...KEYHOLE];
    await serving(old, [], async (exporter) => {
      const body = await exporter.scrape();
      assert.equal(figureOf(body, 'keyhole_privilege_landlock_version'), 0);
      assert.equal(figureOf(body, 'keyhole_privilege_seccomp'), 1);
      // What Landlock would refuse, the filter refuses, but for reading.
      assert.deepEqual(attempt(pidOf(exporter), [['openat', AT_FDCWD, '/tmp/keyhole-written', WRITE_NEW, 0o644]]), [
        'EPERM',
      ]);
      for (const { seccomp, noNewPrivs } of threadsOf(pidOf(exporter)))
        assert.deepEqual([seccomp, noNewPrivs], [2, true]);
    });
    const [program, ...rest] = [...old, '--privilege.sandbox=require', '--web.listen-address=127.0.0.1:0'];
    const { status, stderr } = spawnSync(program as string, rest, { encoding: 'utf8', timeout: 20_000 });
    assert.equal(status, 1, stderr);
    assert.match(stderr, /--privilege\.sandbox=require: no Landlock here/);
  });
});

/** A service whose port nobody has and everybody may listen on. */
async function freeService(): Promise<string> {
  const services = readFileSync('/etc/services', 'utf8').matchAll(/^([a-z][\w-]*)\s+(\d+)\/tcp/gm);
  for (const [, name = '', port = ''] of services) {
    const server = createServer().listen(Number(port), '127.0.0.1');
    const isFree = await once(server, 'listening').then(
      () => Number(port) > 1024,
      () => false,
    );
    server.close();
    if (isFree) return name;
  }
  throw new Error('no service in /etc/services has a free port');
}

test('what the command line names is there after the exec, too: files of arguments, ports by name', {
  skip: skipLandlock,
}, async () => {
  const file = join(folder, 'arguments');
  writeFileSync(file, `--collector.loadavg\n--web.listen-address=127.0.0.1:${await freeService()}\n`);
  const exporter = await startExporter(KEYHOLE, ['--collector.disable-defaults', `@${file}`]);
  assert.match(await exporter.scrape(), /^node_load1 /m);
  assert.equal(exporter.log().match(/msg="Listening on"/g)?.length, 2);
  assert.equal(await exporter.stop(), 0);
});

test('arguments that can be read once, and from where nothing is read after the exec', async () => {
  const shell = 'exec 3<<END\n--collector.loadavg\nEND\nexec "$@" @/dev/fd/3';
  const exporter = await startExporter(['sh', '-c', shell, 'sh', ...KEYHOLE, '--collector.disable-defaults']);
  assert.match(await exporter.scrape(), /^node_load1 /m);
  assert.equal(await exporter.stop(), 0);
});
