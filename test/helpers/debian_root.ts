import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import process from 'node:process';
import { setTimeout as delay } from 'node:timers/promises';
import { groupsNamed } from './hierarchies.ts';

/** A Debian of its own, made by debootstrap, with systemd as its process 1 in namespaces of its own, the network among them. */
export interface DebianRoot {
  readonly path: string;
  /** Runs a shell script inside; answers its status and what it wrote. */
  run(script: string): { readonly status: number | null; readonly out: string };
  /** The same, and throws where its status is not 0. */
  must(script: string): string;
  /** Polls until the script's status is 0. */
  until(script: string): Promise<void>;
  /** Ends everything inside and removes it. */
  end(): Promise<void>;
}

const UNTIL_MS = 20_000;

/** The control groups that systemd gets for its own, one in each hierarchy, and where they are seen. */
const groups = (): string[] => groupsNamed(`keyhole-root-${process.pid}`);

function start(path: string): ChildProcess {
  const inside = `set -e
    ip link set lo up
    mount --bind ${path} ${path}
    mount -t sysfs sysfs ${path}/sys
    mount --rbind /sys/fs/cgroup ${path}/sys/fs/cgroup
    ${groups()
      .map((group) => `mount --bind ${group} ${path}${dirname(group)}`)
      .join('\n')}
    mount -t proc proc ${path}/proc
    for each in dev run tmp; do mount -t tmpfs -o mode=755 tmpfs ${path}/$each; done
    chmod 1777 ${path}/tmp
    for each in null zero full random urandom tty; do touch ${path}/dev/$each; mount --bind /dev/$each ${path}/dev/$each; done
    mkdir ${path}/dev/pts ${path}/dev/shm ${path}/dev/mqueue
    mount -t devpts -o newinstance devpts ${path}/dev/pts
    ln -s pts/ptmx ${path}/dev/ptmx
    mount -o bind ${path}/proc/sys ${path}/proc/sys
    mount -o remount,bind,ro ${path}/proc/sys
    cd ${path} && pivot_root . mnt && umount -l /mnt
    exec env -i container=test PATH=/usr/sbin:/usr/bin:/sbin:/bin \
      /lib/systemd/systemd --system --unit=multi-user.target --log-target=journal --show-status=no`;
  const enter = groups().map((group) => `mkdir ${group} && echo $$ 2>/dev/null >${group}/cgroup.procs || true`);
  const namespaces = '--mount --pid --uts --ipc --net --cgroup --fork --kill-child --propagation=private';
  return spawn('sh', ['-ec', `${enter.join('\n')}\nexec unshare ${namespaces} sh -c "$0"`, inside], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
}

/** The groups can be removed once the last process in them is gone. */
async function removeGroups(): Promise<void> {
  for (const group of groups().filter((each) => existsSync(each)))
    for (let tries = 0; existsSync(group) && tries < 100; tries += 1) {
      spawnSync('find', [group, '-depth', '-type', 'd', '-exec', 'rmdir', '{}', ';'], { stdio: 'ignore' });
      await delay(20);
    }
}

const childOf = (pid: number): string =>
  readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ')[0] ?? '';

/** Makes the root with these packages in it, and starts its systemd. Takes about a minute, most of it debootstrap's. */
export async function debianRoot(packages: readonly string[]): Promise<DebianRoot> {
  const path = mkdtempSync(join(tmpdir(), 'keyhole-debian-'));
  // Users other than root have to reach what is in it.
  chmodSync(path, 0o755);
  execFileSync('debootstrap', ['--variant=minbase', `--include=${['systemd', ...packages].join()}`, 'bookworm', path], {
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  writeFileSync(join(path, 'etc/machine-id'), '');
  writeFileSync(join(path, 'etc/hosts'), '127.0.0.1 localhost\n');
  const systemd = start(path);
  let log = '';
  for (const stream of [systemd.stdout, systemd.stderr])
    stream?.on('data', (chunk) => {
      log += chunk;
    });
  const ended = once(systemd, 'exit');
  const run: DebianRoot['run'] = (script) => {
    if (systemd.exitCode !== null) throw new Error(`systemd has ended with status ${systemd.exitCode}:\n${log}`);
    const { status, stdout, stderr } = spawnSync(
      'nsenter',
      [
        '--all',
        '-t',
        childOf(systemd.pid as number),
        'env',
        '-i',
        'HOME=/root',
        'PATH=/usr/sbin:/usr/bin:/sbin:/bin',
        'sh',
        '-c',
        script,
      ],
      { encoding: 'utf8' },
    );
    return { status, out: `${stdout}${stderr}` };
  };
  const root: DebianRoot = {
    path,
    run,
    must(script) {
      const { status, out } = run(script);
      if (status !== 0) throw new Error(`status ${status} of ${script}:\n${out}\n${log}`);
      return out;
    },
    async until(script) {
      const deadline = Date.now() + UNTIL_MS;
      while (run(script).status !== 0) {
        if (Date.now() > deadline) throw new Error(`never: ${script}\n${run(script).out}\n${log}`);
        await delay(100);
      }
    },
    async end() {
      systemd.kill('SIGKILL');
      await ended;
      await removeGroups();
      rmSync(path, { recursive: true, force: true });
    },
  };
  await root.until('systemctl is-system-running | grep -E "running|degraded"');
  return root;
}
