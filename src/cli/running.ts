import { basename } from 'node:path';
import { optional } from '../core/errors.ts';
import type { Tree } from '../core/host.ts';
import { OPENER } from '../privilege/separate.ts';
import { isCommand } from './commands.ts';

/** An exporter that serves on this machine, or in this container. */
export interface RunningExporter {
  readonly pid: number;
  /** What follows the program's name. */
  readonly argv: readonly string[];
  /** The systemd unit that it is in: `keyhole.service`; empty where it is in none. */
  readonly unit: string;
}

const REFUSALS = ['ENOENT', 'ESRCH', 'EACCES', 'EPERM'];
const textOf = (proc: Tree, path: string): string => optional(() => proc.readOnce(path), REFUSALS) ?? '';

/** The innermost unit in a text of `/proc/<pid>/cgroup`. https://docs.kernel.org/admin-guide/cgroup-v2.html */
export const unitIn = (cgroup: string): string =>
  cgroup
    .split('\n')
    .flatMap((line) => line.slice(line.lastIndexOf(':') + 1).split('/'))
    .findLast((part) => /\.(service|scope)$/.test(part)) ?? '';

/** As runtimes name the groups of their containers: seen from the host, what is in them has other files and flags. */
const IN_CONTAINER = /kubepods|docker|containerd|libpod|crio|lxc/;

/** A Keyhole that serves: one in a unit, or else the first. Commands such as this one do not count. */
export function findRunning(proc: Tree, ownPid: number): RunningExporter | undefined {
  const found: RunningExporter[] = [];
  for (const pid of proc.list('').map(Number)) {
    if (!Number.isInteger(pid) || pid === ownPid) continue;
    const [name = '', ...argv] = textOf(proc, `${pid}/cmdline`).split('\0').slice(0, -1);
    if (basename(name) !== 'keyhole' || argv[0] === OPENER || isCommand(argv[0])) continue;
    const cgroup = textOf(proc, `${pid}/cgroup`);
    if (!IN_CONTAINER.test(cgroup)) found.push({ pid, argv, unit: unitIn(cgroup) });
  }
  found.sort((a, b) => a.pid - b.pid);
  return found.find(({ unit }) => unit.endsWith('.service')) ?? found[0];
}
