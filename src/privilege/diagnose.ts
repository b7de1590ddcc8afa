import {
  type Access,
  CAP_PERFMON,
  CAP_SYS_ADMIN,
  explain,
  has,
  knowsPerfmon,
  PATCH_LEVEL,
  type Reason,
  SYSCTL_PATCH,
} from '../perf/access.ts';

/** Where the program runs, as far as the advice depends on it. */
export type Setting = 'kubernetes' | 'container' | 'systemd' | 'other';

/** Everything that decides whether counters can be opened. */
export interface PerfSituation {
  readonly access: Access;
  readonly permitted: bigint;
  readonly ambient: bigint;
  readonly uid: number;
  readonly setting: Setting;
  readonly executable: string;
  /** The file capability of the executable, as setcap writes it: `cap_perfmon=p`; empty where there is none. */
  readonly fileCapability: string;
  readonly isNosuid: boolean;
  /** The kernel's active security modules, and what confines this process: an SELinux context or an AppArmor profile. */
  readonly securityModules: readonly string[];
  readonly confinedBy: string;
  /** All event sources, and those of cores among them. */
  readonly pmus: readonly string[];
  readonly corePmus: readonly string[];
  readonly isVirtual: boolean;
  readonly cpusOnline: number;
  readonly filesHardMax: number;
  /** Descriptors that are needed: for counters by the flags, for cgroups that are counted, for files and clients. */
  readonly filesNeeded: number;
  /** Those of counters but for cgroups, and those of one cgroup. */
  readonly filesCounters: number;
  readonly filesOfCgroup: number;
  /** Where tracefs is, and whether a tracepoint's number can be read there. */
  readonly tracefs: string;
  readonly isTracefsReadable: boolean;
  /** Where the tree of cgroups is that perf events know; empty where there is none. */
  readonly cgroupTree: string;
  /** How many cgroups match, down to the depth that is looked at; all of them where none are asked for. */
  readonly cgroups: number;
  readonly cgroupDepth: number;
  /** How many of them are counted; `undefined` where none are asked for. */
  readonly cgroupsAsked: number | undefined;
  /** Presets that would count something here, by what sysfs names. */
  readonly presets: readonly string[];
  /** What the kernel answered to a counter of a cgroup. */
  readonly triedCgroup: string | undefined;
  /** What the kernel answered to a counter on a whole CPU: an errno name, or nothing where it opened. */
  readonly tried: { readonly software: string | undefined; readonly hardware: string | undefined };
}

export type Level = 'ok' | 'note' | 'problem';

export interface Finding {
  readonly topic: string;
  readonly level: Level;
  readonly text: string;
}

export interface Diagnosis {
  /** Whether counters open. The call decides, whatever else is found. */
  readonly works: boolean;
  readonly hardware: boolean;
  readonly reason: Reason | undefined;
  readonly why: string;
  readonly findings: readonly Finding[];
  /** What to change, a step each; lines below the first belong in a file. Empty where nothing can or need be done. */
  readonly changes: readonly string[];
}

type Judge = (situation: PerfSituation, denied: boolean) => Finding;

const level = (fine: boolean, otherwise: Level): Level => (fine ? 'ok' : otherwise);

const call: Judge = ({ tried: { software } }) => ({
  topic: 'software counters',
  level: level(software === undefined, 'problem'),
  text: software === undefined ? 'open on a whole CPU' : `refused: ${software}`,
});

const hardwareCall: Judge = ({ access, tried: { software, hardware } }) => ({
  topic: 'hardware counters',
  level: level(hardware === undefined, software === undefined ? 'note' : 'problem'),
  text: hardware === undefined ? 'open on a whole CPU' : `${hardware}: ${explain(hardware, access).why}`,
});

const kernel: Judge = ({ access: { release, isPatched } }, denied) => ({
  topic: 'kernel',
  level: level(knowsPerfmon(release), denied ? 'problem' : 'note'),
  text: knowsPerfmon(release)
    ? `${release}${isPatched ? ', built by Debian or Ubuntu' : ''}`
    : `${release} is older than 5.8: it knows no CAP_PERFMON`,
});

const paranoid: Judge = ({ access: { paranoid: value, isPatched } }, denied) => {
  const topic = 'kernel.perf_event_paranoid';
  if (value === undefined) return { topic, level: 'problem', text: 'absent: this kernel is built without perf events' };
  if (value <= 0) return { topic, level: 'ok', text: `${value}: whole CPUs can be counted by everybody` };
  if (value < PATCH_LEVEL) return { topic, level: 'ok', text: `${value}: whole CPUs can be counted with CAP_PERFMON` };
  const who = isPatched
    ? "this kernel's patch then asks"
    : 'a patch of Debian and Ubuntu, if this kernel has it, then asks';
  return {
    topic,
    level: denied ? 'problem' : 'note',
    text: `${value}: ${who} for CAP_SYS_ADMIN, and CAP_PERFMON does not suffice`,
  };
};

const capability: Judge = ({ access: { bounding }, permitted, ambient, uid }, denied) => {
  const topic = 'process';
  const user = `uid ${uid}`;
  if (has(permitted, CAP_SYS_ADMIN)) return { topic, level: 'ok', text: `${user}, has CAP_SYS_ADMIN` };
  if (has(permitted, CAP_PERFMON))
    return { topic, level: 'ok', text: `${user}, has CAP_PERFMON${has(ambient, CAP_PERFMON) ? ' (ambient)' : ''}` };
  const bounded = has(bounding, CAP_PERFMON)
    ? 'has no CAP_PERFMON, though its bounding set allows it'
    : 'has no CAP_PERFMON, and its bounding set does not allow it';
  return { topic, level: denied ? 'problem' : 'note', text: `${user}, ${bounded}` };
};

const file: Judge = ({ executable, fileCapability, permitted }, denied) => {
  const topic = 'executable';
  const isEffective = /cap_perfmon[^ ]*=\w*e/.test(fileCapability);
  if (isEffective)
    return {
      topic,
      level: 'problem',
      text: `${executable} has ${fileCapability}: where CAP_PERFMON is not granted it does not even start; use cap_perfmon=p`,
    };
  if (fileCapability.includes('cap_perfmon'))
    return { topic, level: 'ok', text: `${executable} has ${fileCapability}` };
  const needed = denied && !has(permitted, CAP_PERFMON);
  const text = `${executable} has ${fileCapability === '' ? 'no file capability' : `only ${fileCapability}`}`;
  return { topic, level: needed ? 'problem' : 'ok', text };
};

const promised = ({ fileCapability, permitted }: PerfSituation): boolean =>
  fileCapability.includes('cap_perfmon') && !has(permitted, CAP_PERFMON);

const nosuid: Judge = (situation) => ({
  topic: 'mount',
  level: level(!situation.isNosuid, promised(situation) ? 'problem' : 'note'),
  text: situation.isNosuid
    ? 'the executable is on a mount with nosuid, where file capabilities count for nothing'
    : 'file capabilities count (no nosuid)',
});

const noNewPrivs: Judge = (situation) => {
  const isSet = situation.access.noNewPrivs === true;
  // Where the bounding set does not allow it either, that alone is reported.
  const hurts = isSet && promised(situation) && has(situation.access.bounding, CAP_PERFMON);
  return {
    topic: 'no_new_privs',
    level: level(!hurts, 'problem'),
    text: hurts
      ? 'set, and this is not the first executable of the container: what a shell or an init program starts gets no file capability'
      : isSet
        ? 'set'
        : 'not set',
  };
};

const seccomp: Judge = ({ access: { seccomp: mode = 0 }, tried: { software } }) => ({
  topic: 'seccomp',
  level: level(mode === 0 || software !== 'EPERM', 'problem'),
  text:
    mode === 0
      ? 'no filter'
      : software === 'EPERM'
        ? 'a filter, which forbids perf_event_open'
        : 'a filter, which allows it',
});

const userNamespace: Judge = ({ access: { userNamespace: inside } }, denied) => ({
  topic: 'user namespace',
  level: level(!inside, denied ? 'problem' : 'note'),
  text: inside ? 'inside one: its capabilities do not open counters' : 'the initial one',
});

const securityModule: Judge = ({ securityModules, confinedBy, access, tried: { software } }) => ({
  topic: 'security modules',
  level: level(software === undefined || explain(software, access).reason !== 'security_module', 'problem'),
  text: `${securityModules.join(', ') || 'unknown'}${confinedBy === '' ? '' : `; confined by ${confinedBy}`}`,
});

const pmus: Judge = ({ pmus: all, corePmus, isVirtual }) => {
  const lacking = all.length === 0 ? 'none' : `${all.join(', ')}; no PMU of a CPU`;
  const why = isVirtual ? ': a virtual machine without a virtual PMU' : '';
  const isThere = corePmus.length > 0;
  return { topic: 'PMUs', level: level(isThere, 'note'), text: isThere ? all.join(', ') : `${lacking}${why}` };
};

const files: Judge = (situation) => {
  const { access, filesHardMax, filesNeeded, filesCounters, filesOfCgroup, cgroupsAsked = 0, cpusOnline } = situation;
  const most = Math.max(access.filesMax, filesHardMax);
  const ofCgroups = cgroupsAsked === 0 ? '' : `, ${filesOfCgroup * cgroupsAsked} for those of ${cgroupsAsked} cgroups`;
  const shown = Number.isFinite(most) ? String(most) : 'any number';
  return {
    topic: 'open files',
    level: level(most >= filesNeeded, 'problem'),
    text: `${shown} allowed, ${filesNeeded} needed: ${filesCounters} for counters of ${cpusOnline} CPUs${ofCgroups}, the others for files and clients`,
  };
};

const tracefs: Judge = ({ tracefs: point, isTracefsReadable }) => ({
  topic: 'tracefs',
  level: level(isTracefsReadable, 'note'),
  text:
    point === ''
      ? 'not mounted: tracepoints have to be given with their number'
      : isTracefsReadable
        ? `${point}, readable`
        : `${point}, not readable: tracepoints have to be given with their number`,
});

const presets: Judge = ({ presets: named }) => ({
  topic: 'presets',
  level: level(named.length > 0, 'note'),
  text: named.length === 0 ? 'none: this machine names nothing that they count' : named.join(', '),
});

const cgroups: Judge = (situation, denied) => {
  const { cgroupTree: tree, cgroups: count, cgroupDepth, cgroupsAsked, triedCgroup } = situation;
  const topic = 'cgroups';
  if (tree === '') return { topic, level: 'note', text: 'no cgroup file system below the sys file system' };
  const matching = cgroupsAsked === undefined ? '' : ' match';
  const found = `${tree}: ${count}${matching} down to level ${cgroupDepth}`;
  if (triedCgroup !== undefined)
    return { topic, level: denied ? 'note' : 'problem', text: `${found}, counters refused: ${triedCgroup}` };
  if (count === 0 && cgroupsAsked !== undefined) return { topic, level: 'note', text: `${found}: none are counted` };
  const { access, filesHardMax, filesNeeded, filesOfCgroup: each } = situation;
  if (each === 0) return { topic, level: 'problem', text: `${found}, and none of their events can be counted here` };
  const others = filesNeeded - each * (cgroupsAsked ?? 0);
  const room = Math.floor(Math.max(0, Math.max(access.filesMax, filesHardMax) - others) / each);
  const limit = Number.isFinite(room) ? `: room for ${room}` : '';
  const counted =
    cgroupsAsked === undefined ? 'for each that is counted' : `for each of ${cgroupsAsked} that are counted`;
  return { topic, level: level(room > 0, 'note'), text: `${found}, ${each} open files ${counted}${limit}` };
};

const JUDGES: readonly Judge[] = [
  call,
  hardwareCall,
  kernel,
  paranoid,
  capability,
  file,
  nosuid,
  noNewPrivs,
  seccomp,
  userNamespace,
  securityModule,
  pmus,
  presets,
  cgroups,
  files,
  tracefs,
];

const SECURITY_CONTEXT = `in the container's securityContext (PERFMON, not CAP_PERFMON, which gives nothing and says nothing):
  allowPrivilegeEscalation: false
  capabilities:
    drop: ["ALL"]
    add: ["PERFMON"]`;

const SYSTEMD = `in the systemd unit:
  [Service]
  AmbientCapabilities=CAP_PERFMON
  CapabilityBoundingSet=CAP_PERFMON`;

const RUN = '--cap-add=PERFMON in the command that runs the container';

const BOUNDED = 'start it where CAP_PERFMON is in the bounding set: whatever started this process has taken it away';

/** How to get CAP_PERFMON here. */
function capabilityChanges(situation: PerfSituation): string[] {
  const { access, executable, fileCapability, isNosuid, setting, permitted } = situation;
  if (has(permitted, CAP_PERFMON)) return [];
  const grant = { kubernetes: SECURITY_CONTEXT, container: RUN, systemd: SYSTEMD, other: BOUNDED }[setting];
  const changes = has(access.bounding, CAP_PERFMON) && setting !== 'systemd' ? [] : [grant];
  if (setting === 'systemd') return changes;
  if (!fileCapability.includes('cap_perfmon')) {
    changes.push(`setcap cap_perfmon=p ${executable}`);
    if (setting === 'other') changes.push(`or, ${SYSTEMD}`);
  } else if (isNosuid) changes.push('put the executable on a file system that is mounted without nosuid');
  else if (access.noNewPrivs === true)
    changes.push('start the executable itself, not through a shell or an init program (tini, dumb-init)');
  else if (changes.length === 0 && access.userNamespace)
    changes.push('run it outside of a user namespace (hostUsers: true)');
  return changes;
}

function changesFor(situation: PerfSituation, reason: Reason): string[] {
  const { access, tried } = situation;
  const { paranoid: value, isPatched } = access;
  const patch = isPatched && value !== undefined && value >= PATCH_LEVEL ? [SYSCTL_PATCH] : [];
  if (reason === 'no_capability')
    return [
      ...capabilityChanges(situation),
      ...patch,
      'or, for every process of the machine: sysctl kernel.perf_event_paranoid=0',
    ];
  const { remedy } = explain(tried.software ?? '', access);
  return remedy === '' ? [] : [remedy];
}

/** Judges the facts. What the kernel answered when it was tried stands above all that can be inferred. */
export function diagnose(situation: PerfSituation): Diagnosis {
  const { access, tried, fileCapability, executable, filesHardMax, filesNeeded } = situation;
  const denied = tried.software !== undefined;
  const findings = JUDGES.map((judge) => judge(situation, denied));
  const verdict = denied ? explain(tried.software, access) : undefined;
  const changes = verdict === undefined ? [] : changesFor(situation, verdict.reason);
  if (
    findings.some(({ topic, level: found }) => topic === 'executable' && found === 'problem') &&
    fileCapability !== ''
  )
    changes.unshift(`setcap cap_perfmon=p ${executable}`);
  if (Math.max(access.filesMax, filesHardMax) < filesNeeded)
    changes.push(`a limit of ${filesNeeded} open files or more (LimitNOFILE=, --ulimit nofile=)`);
  if (!denied && tried.hardware !== undefined) {
    const { remedy } = explain(tried.hardware, access);
    if (remedy !== '') changes.push(`for hardware counters: ${remedy}`);
  }
  return {
    works: !denied,
    hardware: tried.hardware === undefined,
    reason: verdict?.reason,
    why: verdict?.why ?? '',
    findings,
    changes: [...new Set(changes)],
  };
}
