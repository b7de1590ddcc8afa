import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import process from 'node:process';
import { setTimeout as delay } from 'node:timers/promises';
import { groupsNamed } from './hierarchies.ts';

/** The processes below a process. */
export function descendants(pid: number): number[] {
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ').filter(Boolean);
  return children.map(Number).flatMap((child) => [child, ...descendants(child)]);
}

export interface Booted {
  readonly child: ChildProcess;
  /** What it wrote so far. */
  said(): string;
  /** Runs a command among its namespaces and answers what it wrote. */
  run(...command: readonly string[]): string;
  /** The command to start a program among its namespaces. */
  enter(...command: readonly string[]): readonly string[];
  stop(): Promise<void>;
}

/**
 * Starts systemd as process 1 of namespaces and control groups of its own, with no units but these: their texts, by name.
 * `all.target` is what it starts. `prepare` are shell commands that are run before it, among the same namespaces.
 */
export function bootSystemd(units: Readonly<Record<string, string>>, prepare: readonly string[] = []): Booted {
  const folder = mkdtempSync(join(tmpdir(), 'keyhole-systemd-'));
  for (const [name, text] of Object.entries(units)) writeFileSync(join(folder, name), text);
  // One in each hierarchy, so that systemd finds its own root wherever it looks.
  const own = groupsNamed(`keyhole-${process.pid}`);
  const inside = `set -e
    ${own.map((group) => `mount --bind ${group} ${dirname(group)}`).join('\n')}
    mount -t tmpfs tmpfs /run
    cp -r ${folder} /run/units
    for each in /tmp /var/tmp; do mount -t tmpfs -o mode=1777 tmpfs $each; done
    ${prepare.join('\n')}
    mount -o bind /proc/sys /proc/sys
    mount -o remount,bind,ro /proc/sys
    exec env -i container=test SYSTEMD_UNIT_PATH=/run/units PATH=/usr/bin:/bin \
      /lib/systemd/systemd --system --unit=all.target --log-target=console --show-status=no`;
  const enterGroups = own.map((group) => `mkdir ${group} && echo $$ >${group}/cgroup.procs || true`);
  const namespaces = '--mount --pid --uts --ipc --cgroup --fork --kill-child --mount-proc --propagation=private';
  const child = spawn('sh', ['-ec', `${enterGroups.join('\n')}\nexec unshare ${namespaces} sh -c "$0"`, inside], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let said = '';
  for (const stream of [child.stdout, child.stderr])
    stream?.on('data', (chunk) => {
      said += chunk;
    });
  const ended = once(child, 'exit');
  const enter = (...command: readonly string[]): readonly string[] => {
    const [first] = descendants(child.pid as number);
    if (first === undefined) throw new Error(`systemd is not there:\n${said}`);
    return ['nsenter', '--target', String(first), '--mount', '--pid', '--uts', '--ipc', '--cgroup', '--', ...command];
  };
  return {
    child,
    said: () => said,
    enter,
    run(...command) {
      const [program, ...args] = enter(...command) as [string, ...string[]];
      const { stdout, stderr, status } = spawnSync(program, args, { encoding: 'utf8', timeout: 20_000 });
      if (status !== 0) throw new Error(`${command.join(' ')}: ${stderr}\n${said}`);
      return stdout;
    },
    async stop() {
      child.kill('SIGKILL');
      await ended;
      rmSync(folder, { recursive: true, force: true });
      // Groups can be removed once the last process in them is gone.
      for (const group of own.filter((each) => existsSync(each)))
        for (let tries = 0; existsSync(group) && tries < 50; tries += 1) {
          spawnSync('find', [group, '-depth', '-type', 'd', '-exec', 'rmdir', '{}', ';'], { stdio: 'ignore' });
          await delay(20);
        }
    },
  };
}
