// Cgroups of our own, in the tree that perf events know, for the end-to-end tests that need root.
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import { setTimeout as delay } from 'node:timers/promises';
import { hasErrno } from '../../src/core/errors.ts';
import { findCgroupTree } from '../../src/perf/cgroup_tree.ts';
import { openTree } from '../../src/source/source.ts';
import { notRoot } from './debian.ts';

const TREE = findCgroupTree(openTree('/sys'));
/** The folder of this run. */
export const OWN = `keyhole-test-${process.pid}`;

const pathOf = (path: string): string => join(TREE ?? '', OWN, path);

/** Why cgroups cannot be made here, or `false`. */
export function lacksCgroups(): string | false {
  if (notRoot() !== false) return notRoot();
  if (TREE === undefined) return 'no tree of cgroups that perf events know below /sys/fs/cgroup';
  try {
    mkdirSync(pathOf(''));
    rmdirSync(pathOf(''));
    return false;
  } catch (error) {
    return `cannot make a cgroup: ${(error as Error).message}`;
  }
}

export function makeCgroup(path: string): void {
  mkdirSync(pathOf(path), { recursive: true });
}

export const enterCgroup = (path: string, pid: number): void =>
  writeFileSync(join(pathOf(path), 'cgroup.procs'), String(pid));

/** As a user makes it who has a tree of its own, and a strict umask. */
export const shutCgroup = (path: string): void => chmodSync(pathOf(path), 0o700);

/** One whose last process has just ended is busy for a moment. */
export async function removeCgroup(path: string): Promise<void> {
  for (const until = Date.now() + 5000; ; await delay(10)) {
    try {
      if (existsSync(pathOf(path))) rmdirSync(pathOf(path));
      return;
    } catch (error) {
      if (!hasErrno(error, ['EBUSY']) || Date.now() > until) throw error;
    }
  }
}

/** Removes everything, whatever a test left. */
export async function removeAll(path = ''): Promise<void> {
  if (!existsSync(pathOf(path))) return;
  for (const entry of readdirSync(pathOf(path), { withFileTypes: true }))
    if (entry.isDirectory()) await removeAll(join(path, entry.name));
  for (const pid of readFileSync(join(pathOf(path), 'cgroup.procs'), 'utf8')
    .split('\n')
    .filter(Boolean))
    process.kill(Number(pid), 'SIGKILL');
  await removeCgroup(path);
}

/** A shell that first enters the cgroup. */
export const inCgroup = (path: string, script: string): readonly [string, ...string[]] => [
  'sh',
  '-c',
  `echo $$ > ${pathOf(path)}/cgroup.procs && ${script}`,
];

/** Runs a script in a cgroup, to its end. */
export function runIn(path: string, script: string): void {
  const [program, ...args] = inCgroup(path, script);
  execFileSync(program, args, { stdio: 'ignore' });
}

/** Starts one in the background; the function ends it. */
export function startIn(path: string, script: string): () => Promise<void> {
  const [program, ...args] = inCgroup(path, script);
  const child = spawn(program, args, { stdio: 'ignore' });
  const ended = once(child, 'exit');
  return async () => {
    child.kill('SIGKILL');
    await ended;
  };
}

/** What perf(1) counts of an event for these cgroups while a command runs. */
export function perfForCgroups(event: string, paths: readonly string[], command: readonly string[]): number[] {
  const names = paths.map((path) => `${OWN}/${path}`).join();
  const args = ['stat', '-x', ';', '-a', '-e', event, '--for-each-cgroup', names, ...command];
  const { stderr } = spawnSync('perf', args, { encoding: 'utf8' });
  return paths.map((path) => {
    const line = stderr.split('\n').find((each) => each.includes(`;${OWN}/${path};`)) ?? '';
    return Number.parseFloat(line) || 0;
  });
}
