// The image in other runtimes: runc with the configuration that CRI-O writes, and podman.
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import {
  CRI_O_BOUNDING,
  chartArgs,
  imageArchive,
  NOBODY,
  ORIGIN_ARGS,
  PERFMON,
  VERSION,
} from '../../helpers/container/image.ts';
import { unpackArchive, unpackLayers } from '../../helpers/container/layout.ts';
import { get, type Seen, seen } from '../../helpers/container/seen.ts';
import { lacksPackages, loudly, notRoot } from '../../helpers/debian.ts';
import { freePort } from '../../helpers/exporter.ts';
import { lacksController } from '../../helpers/hierarchies.ts';

const CRI_O_GIVES = [
  'CAP_CHOWN',
  'CAP_DAC_OVERRIDE',
  'CAP_FSETID',
  'CAP_FOWNER',
  'CAP_SETGID',
  'CAP_SETUID',
  'CAP_SETPCAP',
  'CAP_NET_BIND_SERVICE',
  'CAP_KILL',
];

interface Process {
  readonly args: readonly string[];
  readonly capabilities: readonly string[];
  readonly noNewPrivs: boolean;
  readonly readOnlyRoot: boolean;
}

/** `config.json` for a user that is not root: the capabilities are in no set that outlives the start but the bounding one. */
const configOf = ({ args, capabilities, noNewPrivs, readOnlyRoot }: Process): unknown => ({
  ociVersion: '1.0.2',
  process: {
    terminal: false,
    user: { uid: NOBODY, gid: NOBODY },
    args: ['/bin/keyhole', ...args],
    env: ['PATH=/bin'],
    cwd: '/',
    capabilities: { bounding: capabilities, effective: capabilities, permitted: capabilities },
    noNewPrivileges: noNewPrivs,
  },
  root: { path: 'rootfs', readonly: readOnlyRoot },
  mounts: [
    { destination: '/proc', type: 'proc', source: 'proc' },
    { destination: '/sys', type: 'sysfs', source: 'sysfs', options: ['nosuid', 'noexec', 'nodev', 'ro'] },
    { destination: '/dev', type: 'tmpfs', source: 'tmpfs', options: ['nosuid', 'mode=755', 'size=65536k'] },
    { destination: '/host/proc', type: 'bind', source: '/proc', options: ['rbind', 'ro'] },
    { destination: '/host/sys', type: 'bind', source: '/sys', options: ['rbind', 'ro'] },
  ],
  linux: {
    namespaces: ['pid', 'ipc', 'uts', 'mount'].map((type) => ({ type })),
    maskedPaths: ['/proc/kcore', '/proc/keys', '/proc/timer_list', '/sys/firmware'],
    readonlyPaths: ['/proc/sys', '/proc/sysrq-trigger'],
  },
});

const COUNTS = { success: 1, counted: cpus().length, held: 0n, stage: 'sealed' } as const;
const REFUSED = { success: 0, counted: 0, held: 0n, reason: 'no_capability', stage: 'direct' } as const;

const RUNC_CASES: readonly (readonly [name: string, asked: Omit<Process, 'args'>, expected: Partial<Seen>])[] = [
  [
    'PERFMON',
    { capabilities: [...CRI_O_GIVES, 'CAP_PERFMON'], noNewPrivs: false, readOnlyRoot: false },
    { ...COUNTS, bounding: CRI_O_BOUNDING },
  ],
  [
    'PERFMON alone, no_new_privs, read-only root',
    { capabilities: ['CAP_PERFMON'], noNewPrivs: true, readOnlyRoot: true },
    { ...COUNTS, bounding: PERFMON },
  ],
  [
    'no PERFMON',
    { capabilities: CRI_O_GIVES, noNewPrivs: false, readOnlyRoot: false },
    { ...REFUSED, bounding: CRI_O_BOUNDING & ~PERFMON },
  ],
  [
    'nothing, no_new_privs, read-only root',
    { capabilities: [], noNewPrivs: true, readOnlyRoot: true },
    { ...REFUSED, bounding: 0n },
  ],
];

const argsFor = (port: number): string[] => [...ORIGIN_ARGS, `--web.listen-address=127.0.0.1:${port}`];

const runcSkip = loudly(notRoot() || lacksPackages('runc'));

describe("runc with CRI-O's configuration", { skip: runcSkip, timeout: 120_000, concurrency: false }, () => {
  const folder = mkdtempSync(join(tmpdir(), 'keyhole-runc-'));
  const bundle = join(folder, 'bundle');
  const runc = ['--root', join(folder, 'state')];
  before(() => {
    const layout = unpackArchive(imageArchive(), join(folder, 'image'));
    unpackLayers(layout.layers(), join(bundle, 'rootfs'));
    // Where nothing can be written the runtime cannot make what it mounts on.
    for (const each of ['dev', 'host/proc', 'host/sys']) mkdirSync(join(bundle, 'rootfs', each), { recursive: true });
  });
  after(() => rmSync(folder, { recursive: true, force: true }));

  for (const [index, [name, asked, expected]] of RUNC_CASES.entries()) {
    test(name, async () => {
      const port = await freePort();
      writeFileSync(join(bundle, 'config.json'), JSON.stringify(configOf({ ...asked, args: argsFor(port) })));
      const id = `keyhole-${index}`;
      const child = spawn('runc', [...runc, 'run', '--bundle', bundle, id], { stdio: ['ignore', 'ignore', 'pipe'] });
      let said = '';
      child.stderr.on('data', (chunk) => {
        said += chunk;
      });
      const ended = once(child, 'exit');
      try {
        const body = await get(`http://127.0.0.1:${port}/metrics`, async () => child.exitCode === null);
        const state = execFileSync('runc', [...runc, 'state', id], { encoding: 'utf8' });
        const found = seen(body, (JSON.parse(state) as { pid: number }).pid);
        assert.deepEqual({ ...found, ...expected }, found, said);
      } catch (error) {
        throw new Error(said, { cause: error });
      } finally {
        if (child.exitCode === null) execFileSync('runc', [...runc, 'kill', id, 'TERM']);
        assert.deepEqual(await ended, [0, null], said);
      }
    });
  }
});

const podmanSkip = loudly(notRoot() || lacksPackages('podman', 'runc'));

describe('podman', { skip: podmanSkip, timeout: 180_000, concurrency: false }, () => {
  const folder = mkdtempSync(join(tmpdir(), 'keyhole-podman-'));
  const podman = (...args: string[]): string => {
    const own = ['--root', join(folder, 'root'), '--runroot', join(folder, 'run'), '--tmpdir', join(folder, 'tmp')];
    const with_ = ['--storage-driver', 'vfs', '--cgroup-manager', 'cgroupfs', '--runtime', 'runc'];
    return execFileSync('podman', [...own, ...with_, ...args], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
  };
  let image = '';
  before(() => {
    image = podman('pull', '--quiet', `oci-archive:${imageArchive()}:${VERSION}`).trim();
  });
  after(() => {
    // Its layers may still be mounted somewhere below.
    podman('rm', '--all', '--force', '--time=2');
    rmSync(folder, { recursive: true, force: true });
  });

  async function run(options: readonly string[], args: (port: number) => string[] = argsFor): Promise<Seen> {
    const port = await freePort();
    // Where the machine itself lacks CAP_SYS_RESOURCE, limits cannot be raised to podman's own.
    const limits = ['--ulimit=nofile=20000:20000', '--ulimit=nproc=32768:32768'];
    if (lacksController('pids')) limits.push('--pids-limit=-1');
    const mounts = ['--volume=/proc:/host/proc:ro', '--volume=/sys:/host/sys:ro', '--volume=/:/host/root:ro'];
    const id = podman(
      'run',
      '--detach',
      '--network=host',
      ...limits,
      ...mounts,
      ...options,
      image,
      ...args(port),
    ).trim();
    try {
      const running = async (): Promise<boolean> =>
        podman('inspect', '--format={{.State.Running}}', id).trim() === 'true';
      const body = await get(`http://127.0.0.1:${port}/metrics`, running);
      return seen(body, Number(podman('inspect', '--format={{.State.Pid}}', id)));
    } catch (error) {
      throw new Error(podman('logs', id), { cause: error });
    } finally {
      podman('rm', '--force', '--time=5', id);
    }
  }

  const agrees = (found: Seen, expected: Partial<Seen>): void => assert.deepEqual({ ...found, ...expected }, found);

  test('PERFMON, which podman makes ambient', async () => {
    agrees(await run(['--cap-add=PERFMON', '--security-opt=seccomp=unconfined']), COUNTS);
  });

  test('PERFMON alone, no_new_privs, read-only root', async () => {
    const hardened = ['--cap-drop=ALL', '--security-opt=no-new-privileges', '--read-only'];
    agrees(await run([...hardened, '--cap-add=PERFMON', '--security-opt=seccomp=unconfined']), {
      ...COUNTS,
      bounding: PERFMON,
    });
  });

  test('nothing added', async () => {
    agrees(await run(['--security-opt=seccomp=unconfined']), REFUSED);
  });

  test("nothing added, podman's own seccomp profile", async () => {
    agrees(await run([]), { ...REFUSED, reason: 'seccomp' });
  });

  test("the chart's arguments", async () => {
    const { success } = await run(['--read-only'], (port) => chartArgs(port, '127.0.0.1'));
    assert.equal(success, undefined, 'perf is off by default');
  });
});
