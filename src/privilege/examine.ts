import { closeSync } from 'node:fs';
import process from 'node:process';
import { errnoOf, messageOf, optional } from '../core/errors.ts';
import type { Tree } from '../core/host.ts';
import type { Pattern } from '../core/pattern.ts';
import { parseCpulist } from '../parse/cpulist.ts';
import { parseMountinfo, unescapeMount } from '../parse/mountinfo.ts';
import { parseFilesMax, readAccess } from '../perf/access.ts';
import { type PerfAsked, planFiles, viewMachine } from '../perf/acquire.ts';
import { PERF_TYPE_HARDWARE, PERF_TYPE_SOFTWARE } from '../perf/catalog.ts';
import { openCgroupFolders } from '../perf/cgroup_folder.ts';
import { findCgroups, findCgroupTree } from '../perf/cgroup_tree.ts';
import { NO_GROUP, openEvent } from '../perf/perf_event.ts';
import type { MachineView } from '../perf/planned.ts';
import { presetStates } from '../perf/presets.ts';
import { parseTracefsMounts } from '../perf/tracefs.ts';
import { openTree } from '../source/source.ts';
import {
  type FileCapability,
  fileCapability,
  isInitialUserNamespace,
  maskOf,
  namesOf,
  ownPrivileges,
} from '../syscall/capability.ts';
import { withEffective } from './acquire.ts';
import type { PerfSituation, Setting } from './diagnose.ts';

const REFUSALS = ['ENOENT', 'EACCES', 'EPERM', 'EINVAL', 'ENOTDIR', 'ENOTSUP'];

/** What `setcap` would have been given. */
function inWords(capability: FileCapability | undefined): string {
  if (capability === undefined) return '';
  const { permitted, inheritable, effective } = capability;
  const sets = `${effective ? 'e' : ''}${inheritable !== 0n ? 'i' : ''}${permitted !== 0n ? 'p' : ''}`;
  return `${namesOf(permitted | inheritable)
    .map((name) => `cap_${name}`)
    .join()}=${sets}`;
}

function settingOf(env: NodeJS.ProcessEnv, root: Tree): Setting {
  if (env['KUBERNETES_SERVICE_HOST'] !== undefined) return 'kubernetes';
  if (root.exists('.dockerenv') || root.exists('run/.containerenv') || env['container'] !== undefined)
    return 'container';
  return env['INVOCATION_ID'] === undefined ? 'other' : 'systemd';
}

/** Whether the mount that holds the file ignores its capabilities. */
function isOnNosuid(mountinfo: string, path: string): boolean {
  let longest = -1;
  let isNosuid = false;
  for (const { mountPoint, options } of parseMountinfo(mountinfo)) {
    const point = unescapeMount(mountPoint);
    const holds = path === point || path.startsWith(point.endsWith('/') ? point : `${point}/`);
    if (!holds || point.length < longest) continue;
    longest = point.length;
    isNosuid = options.split(',').includes('nosuid');
  }
  return isNosuid;
}

/** A counter of everything on one CPU, as the perf collector opens it; answers what the kernel said against it. */
function tryEvent(type: number, config: bigint, cpu: number): string | undefined {
  try {
    closeSync(openEvent({ type, config, excludeHv: true }, cpu, NO_GROUP));
    return undefined;
  } catch (error) {
    return errnoOf(error) ?? messageOf(error);
  }
}

/** The same for the root of the tree of cgroups, which holds everything. */
function tryCgroup(root: string, cpu: number): string | undefined {
  try {
    const spec = { type: PERF_TYPE_SOFTWARE, config: CONTEXT_SWITCHES };
    openCgroupFolders(root).within('.', (fd) => closeSync(openEvent(spec, cpu, NO_GROUP, fd)));
    return undefined;
  } catch (error) {
    return errnoOf(error) ?? messageOf(error);
  }
}

const EVERY: Pattern = { source: '', test: () => true };

const CONTEXT_SWITCHES = 3n;
const CYCLES = 0n;
const FILES_OF_SERVER = 192;

function tracefsOf(proc: Tree): { point: string; isReadable: boolean } {
  const points = parseTracefsMounts(optional(() => proc.readOnce('mounts'), REFUSALS) ?? '');
  const readable = points.find((point) => {
    const id = optional(() => openTree(point).readOnce('events/sched/sched_switch/id'), REFUSALS);
    return id !== undefined;
  });
  return { point: readable ?? points[0] ?? '', isReadable: readable !== undefined };
}

export interface ExamineOptions {
  readonly sysfs: string;
  readonly env: NodeJS.ProcessEnv;
  /** What the flags ask of the perf collector. */
  readonly perf: Omit<PerfAsked, 'sys'>;
}

/** The cgroups, and what they and the other counters take. */
function countFiles(machine: MachineView, cgroupTree: string, asked: PerfAsked) {
  const { cgroupInclude: include, cgroupDepth, cgroupMax } = asked.flags;
  const files = planFiles(asked, machine);
  const cgroups = cgroupTree === '' ? 0 : findCgroups(cgroupTree, include ?? EVERY, cgroupDepth).paths.length;
  const cgroupsAsked = include === undefined ? undefined : Math.min(cgroups, cgroupMax);
  return {
    cgroups,
    cgroupDepth,
    cgroupsAsked,
    filesCounters: files.counters,
    filesOfCgroup: files.eachCgroup,
    filesNeeded: FILES_OF_SERVER + files.counters + files.eachCgroup * (cgroupsAsked ?? 0),
  };
}

/** Gathers what `diagnose` judges, from the own process and by trying. Opens counters as the first stage would. */
export function examine({ sysfs, env, perf }: ExamineOptions): PerfSituation {
  const [proc, sys, root] = [openTree('/proc'), openTree(sysfs), openTree('/')];
  const text = (tree: Tree, path: string): string => optional(() => tree.readOnce(path), REFUSALS)?.trim() ?? '';
  const privileges = ownPrivileges();
  const online = parseCpulist(text(sys, 'devices/system/cpu/online'), sys.path('devices/system/cpu/online'));
  const machine = viewMachine(sys, online);
  const all = machine.pmus;
  const corePmus = all.filter(({ isCore }) => isCore).map(({ name }) => name);
  const cgroupTree = findCgroupTree(sys) ?? '';
  const executable = process.execPath;
  const limits = text(proc, 'self/limits');
  const trace = tracefsOf(proc);
  const [cpu = 0] = online;
  const tried = withEffective(maskOf(['perfmon', 'sys_admin']), privileges.permitted, () => ({
    software: tryEvent(PERF_TYPE_SOFTWARE, CONTEXT_SWITCHES, cpu),
    hardware: tryEvent(PERF_TYPE_HARDWARE, CYCLES, cpu),
    cgroup: cgroupTree === '' ? 'ENOENT' : tryCgroup(cgroupTree, cpu),
    // Inside, since the judgement is of what was effective when it was tried.
    access: readAccess({
      proc,
      privileges: ownPrivileges(),
      userNamespace: isInitialUserNamespace() === false,
      hasCorePmu: corePmus.length > 0,
    }),
  }));
  return {
    access: tried.access,
    permitted: privileges.permitted,
    ambient: privileges.ambient,
    uid: process.getuid?.() ?? 0,
    setting: settingOf(env, root),
    executable,
    fileCapability: inWords(fileCapability(executable)),
    isNosuid: isOnNosuid(text(proc, 'self/mountinfo'), executable),
    securityModules: text(sys, 'kernel/security/lsm')
      .split(',')
      .filter((name) => name !== ''),
    confinedBy: text(proc, 'self/attr/current')
      .replace(/\0$/, '')
      .replace(/^unconfined$/, ''),
    pmus: all.map(({ name }) => name),
    corePmus,
    isVirtual: /^flags\s*:.*\bhypervisor\b/m.test(text(proc, 'cpuinfo')) || sys.exists('hypervisor/type'),
    cpusOnline: online.length,
    filesHardMax: parseFilesMax(limits.replace(/^(Max open files\s+)\S+\s+/m, '$1')),
    tracefs: trace.point,
    isTracefsReadable: trace.isReadable,
    cgroupTree,
    ...countFiles(machine, cgroupTree, { ...perf, sys }),
    presets: presetStates(machine).flatMap(({ preset, counts }) => (counts.length === 0 ? [] : [preset])),
    triedCgroup: tried.cgroup,
    tried: { software: tried.software, hardware: tried.hardware },
  };
}
