import { readFileSync, statSync } from 'node:fs';
import type { OpenMachine } from './cli/commands.ts';
import { programFlags } from './cli/flags.ts';
import type { Machine } from './core/assemble.ts';
import { messageOf, NOTHING, optional, UsageError } from './core/errors.ts';
import type { ParsedFlags } from './core/flag.ts';
import type { Logger } from './core/log.ts';
import { decodeName } from './core/utf8.ts';
import { openDaemons } from './daemon/daemons.ts';
import { openNetwork } from './netlink/network.ts';
import { isFirstUserNamespace, openUevents } from './netlink/uevents.ts';
import { parseLimits } from './parse/limits.ts';
import { othersFiles } from './source/others_files.ts';
import { createSource, type Source } from './source/source.ts';
import { openSystem } from './syscall/system.ts';
import { hangingReadsMax } from './syscall/thread_pool.ts';

/** What is closed to us is none. */
const isFolder = (path: string): boolean => optional(() => statSync(path).isDirectory(), NOTHING) === true;

function requireFolder(flag: string, path: string): void {
  if (!isFolder(path)) throw new UsageError(`--${flag}: ${path} is not a directory`);
}

/** Some machines have no sysfs: what is read below it is absent then, and the rest works. No path at all would be the root. */
function lookForFolder(flag: string, path: string, log: Logger): void {
  if (path === '' || optional(() => statSync(path), NOTHING) !== undefined) requireFolder(flag, path);
  else log.warn('no such folder: what is read from it will be missing', { flag: `--${flag}`, path });
}

/** There is no such folder. */
const NOWHERE = '/dev/null/none';

/**
 * The chart gives `--path.udev.data` only with image tags of 1.4.0 and later, which are not ours: in a container what is below
 * the host's root serves as well.
 */
function udevFolder(parsed: ParsedFlags, rootfs: string): string {
  const given = parsed.valueOf(programFlags.udevData) || NOWHERE;
  const below = `${rootfs}${given}`;
  return rootfs !== '/' && !parsed.isGiven(programFlags.udevData) && !isFolder(given) && isFolder(below)
    ? below
    : given;
}

/** RLIMIT_NOFILE; what POSIX promises where it is closed to us. */
const openFilesMax = (): number =>
  parseLimits(optional(() => readFileSync('/proc/self/limits', 'utf8'), NOTHING) ?? '').openFiles ?? 256;

/** Where devices of others may come and go unseen, nothing is reported at all. */
const openEvents = (): (() => number) | undefined =>
  isFirstUserNamespace(optional(() => readFileSync('/proc/self/uid_map', 'utf8'), NOTHING) ?? '')
    ? openUevents()
    : undefined;

/** Descriptors, clock and buffers of everything that is read. */
const openSource = (log: Logger): Source =>
  createSource({
    openFiles: openFilesMax(),
    events: openEvents(),
    hangingReads: hangingReadsMax(),
    onRefused: (path, error) => log.info('not readable, left out', { path: decodeName(path), err: messageOf(error) }),
  });

export interface MachineOptions {
  /** Whether anything that is enabled reads below `--path.procfs`: then it must be there. */
  readonly needsProc: boolean;
  /** Ends the process in good order. */
  end(why: string): void;
}

/** Opens what the flags name. Throws a `UsageError` where it is not there. */
export function openMachine(parsed: ParsedFlags, log: Logger, { needsProc, end }: MachineOptions): OpenMachine {
  const source = openSource(log);
  const { openTree } = source;
  const [procfs, sysfs] = [parsed.valueOf(programFlags.procfs), parsed.valueOf(programFlags.sysfs)];
  if (needsProc) requireFolder('path.procfs', procfs);
  else lookForFolder('path.procfs', procfs, log);
  lookForFolder('path.sysfs', sysfs, log);
  const rootfs = parsed.valueOf(programFlags.rootfs).replace(/\/+$/, '') || '/';
  const machine: Machine = {
    othersFiles,
    proc: openTree(procfs),
    sys: openTree(sysfs),
    udev: openTree(udevFolder(parsed, rootfs)),
    root: openTree(rootfs),
    rootfs,
    own: openTree('/proc'),
    openTree,
    network: openNetwork(source.clock),
    system: openSystem(),
    daemons: openDaemons(),
    log,
    end,
  };
  return { machine, source };
}
