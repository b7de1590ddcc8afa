import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CAP_PERFMON, CAP_SYS_ADMIN } from '../../src/perf/access.ts';
import { diagnose, type Level, type PerfSituation } from '../../src/privilege/diagnose.ts';

const PERFMON = 1n << BigInt(CAP_PERFMON);
const ADMIN = 1n << BigInt(CAP_SYS_ADMIN);

const fine: PerfSituation = {
  access: {
    effective: PERFMON,
    bounding: PERFMON,
    noNewPrivs: true,
    seccomp: 2,
    userNamespace: false,
    paranoid: 2,
    release: '6.12.0',
    isPatched: false,
    hasCorePmu: true,
    filesMax: 20000,
  },
  permitted: PERFMON,
  ambient: 0n,
  uid: 65534,
  setting: 'kubernetes',
  executable: '/bin/keyhole',
  fileCapability: 'cap_perfmon=p',
  isNosuid: false,
  securityModules: ['capability'],
  confinedBy: '',
  pmus: ['cpu', 'software'],
  corePmus: ['cpu'],
  isVirtual: false,
  cpusOnline: 4,
  filesHardMax: 20000,
  filesNeeded: 312,
  filesCounters: 120,
  filesOfCgroup: 8,
  cgroupTree: '/sys/fs/cgroup',
  cgroups: 120,
  cgroupDepth: 4,
  cgroupsAsked: undefined,
  presets: ['ipc', 'energy'],
  triedCgroup: undefined,
  tracefs: '/sys/kernel/tracing',
  isTracefsReadable: true,
  tried: { software: undefined, hardware: undefined },
};

const denied = { tried: { software: 'EACCES', hardware: 'EACCES' } } as const;
const without = (bounding: bigint): Pick<PerfSituation, 'access' | 'permitted'> => ({
  permitted: 0n,
  access: { ...fine.access, effective: 0n, bounding, noNewPrivs: false },
});

test('all is well: no problem, no note, nothing to change', () => {
  const { works, hardware, findings, changes } = diagnose(fine);
  assert.ok(works && hardware);
  assert.deepEqual(
    findings.filter(({ level }) => level !== 'ok'),
    [],
  );
  assert.deepEqual(changes, []);
  const [cgroups] = findings.filter(({ topic }) => topic === 'cgroups');
  assert.match(cgroups?.text ?? '', /120 down to level 4, 8 open files for each that is counted: room for 2461$/);
});

test('cgroups that are asked for take their part of the open files', () => {
  const asked = { cgroups: 300, cgroupsAsked: 200, filesOfCgroup: 88, filesNeeded: 17912 };
  const cases: readonly (readonly [Partial<PerfSituation>, string, Level, RegExp])[] = [
    [asked, 'open files', 'ok', /17912 needed: 120 for counters of 4 CPUs, 17600 for those of 200 cgroups, the others/],
    [{ ...asked, filesHardMax: 17911 }, 'open files', 'ok', /17912 needed/],
    [
      { ...asked, filesHardMax: 9000, access: { ...fine.access, filesMax: 9000 } },
      'open files',
      'problem',
      /^9000 allowed, 17912 needed/,
    ],
    [
      asked,
      'cgroups',
      'ok',
      /300 match down to level 4, 88 open files for each of 200 that are counted: room for 223$/,
    ],
    [{ cgroups: 0, cgroupsAsked: 0 }, 'cgroups', 'note', /0 match down to level 4: none are counted$/],
    [{ filesOfCgroup: 0 }, 'cgroups', 'problem', /none of their events can be counted here$/],
  ];
  for (const [given, topic, level, text] of cases) {
    const found = diagnose({ ...fine, ...given }).findings.find((each) => each.topic === topic);
    assert.equal(found?.level, level, found?.text ?? topic);
    assert.match(found?.text ?? '', text);
  }
});

/** What is given; the reason; topics that are problems; what the changes say, in order. */
const CASES: readonly (readonly [string, Partial<PerfSituation>, string | undefined, string[], RegExp[]])[] = [
  [
    'a pod without PERFMON',
    { ...denied, ...without(0n) },
    'no_capability',
    ['software counters', 'hardware counters', 'process'],
    [/securityContext.*\n.*allowPrivilegeEscalation: false\n.*\n.*\n +add: \["PERFMON"\]/, /perf_event_paranoid=0/],
  ],
  [
    'a pod whose image lost the file capability',
    { ...denied, ...without(PERFMON), fileCapability: '' },
    'no_capability',
    ['software counters', 'hardware counters', 'process', 'executable'],
    [/^setcap cap_perfmon=p \/bin\/keyhole$/, /./],
  ],
  [
    'a systemd unit',
    { ...denied, ...without(PERFMON), fileCapability: '', setting: 'systemd' },
    'no_capability',
    ['software counters', 'hardware counters', 'process', 'executable'],
    [/\[Service\]\n +AmbientCapabilities=CAP_PERFMON/, /./],
  ],
  [
    'a shell on a machine',
    { ...denied, ...without(PERFMON), fileCapability: '', setting: 'other' },
    'no_capability',
    ['software counters', 'hardware counters', 'process', 'executable'],
    [/^setcap/, /^or, in the systemd unit/, /^or, for every process/],
  ],
  [
    'docker without --cap-add',
    { ...denied, ...without(0n), setting: 'container' },
    'no_capability',
    ['software counters', 'hardware counters', 'process'],
    [/^--cap-add=PERFMON/, /./],
  ],
  [
    'a nosuid mount',
    { ...denied, ...without(PERFMON), isNosuid: true },
    'no_capability',
    ['software counters', 'hardware counters', 'process', 'mount'],
    [/without nosuid/, /./],
  ],
  [
    'behind a shell under no_new_privs',
    { ...denied, permitted: 0n, access: { ...fine.access, effective: 0n } },
    'no_capability',
    ['software counters', 'hardware counters', 'process', 'no_new_privs'],
    [/start the executable itself, not through a shell/, /./],
  ],
  [
    "Debian's patch",
    { ...denied, access: { ...fine.access, paranoid: 3, isPatched: true, release: '6.1.0-28-amd64' } },
    'kernel_patch',
    ['software counters', 'hardware counters', 'kernel.perf_event_paranoid'],
    [/^sysctl kernel.perf_event_paranoid=2$/],
  ],
  [
    "Debian's patch and no capability",
    {
      ...denied,
      permitted: 0n,
      setting: 'other',
      fileCapability: '',
      access: { ...fine.access, effective: 0n, noNewPrivs: false, paranoid: 3, isPatched: true },
    },
    'no_capability',
    ['software counters', 'hardware counters', 'kernel.perf_event_paranoid', 'process', 'executable'],
    [/^setcap/, /systemd/, /^sysctl kernel.perf_event_paranoid=2$/, /=0$/],
  ],
  [
    'a kernel before 5.8',
    { ...denied, ...without(0n), access: { ...without(0n).access, release: '5.4.0' } },
    'old_kernel',
    ['software counters', 'hardware counters', 'kernel', 'process'],
    [/CAP_SYS_ADMIN/],
  ],
  [
    'a user namespace',
    { ...denied, access: { ...fine.access, userNamespace: true } },
    'user_namespace',
    ['software counters', 'hardware counters', 'user namespace'],
    [/hostUsers: true/],
  ],
  [
    'seccomp',
    { tried: { software: 'EPERM', hardware: 'EPERM' } },
    'seccomp',
    ['software counters', 'hardware counters', 'seccomp'],
    [/profile/],
  ],
  [
    'SELinux',
    { ...denied, confinedBy: 'system_u:system_r:container_t:s0', securityModules: ['selinux'] },
    'security_module',
    ['software counters', 'hardware counters', 'security modules'],
    [/SELinux/],
  ],
  [
    'a kernel without perf events',
    { tried: { software: 'ENOSYS', hardware: 'ENOSYS' }, access: { ...fine.access, paranoid: undefined } },
    'not_in_kernel',
    ['software counters', 'hardware counters', 'kernel.perf_event_paranoid'],
    [/CONFIG_PERF_EVENTS/],
  ],
  [
    'a virtual machine without a PMU',
    {
      tried: { software: undefined, hardware: 'ENOENT' },
      corePmus: [],
      isVirtual: true,
      access: { ...fine.access, hasCorePmu: false },
    },
    undefined,
    [],
    [/for hardware counters: give the virtual machine a PMU/],
  ],
  [
    'few open files',
    { filesHardMax: 256, access: { ...fine.access, filesMax: 256 } },
    undefined,
    ['open files'],
    [/a limit of 312 open files or more/],
  ],
  ['=ep on the file', { fileCapability: 'cap_perfmon=ep' }, undefined, ['executable'], [/^setcap cap_perfmon=p/]],
];

for (const [name, given, reason, problems, changes] of CASES)
  test(name, () => {
    const diagnosis = diagnose({ ...fine, ...given });
    assert.equal(diagnosis.reason, reason);
    assert.equal(diagnosis.works, reason === undefined);
    assert.deepEqual(
      diagnosis.findings.filter(({ level }) => level === 'problem').map(({ topic }) => topic),
      problems,
    );
    assert.equal(diagnosis.changes.length, changes.length, diagnosis.changes.join('\n'));
    for (const [i, change] of changes.entries()) assert.match(diagnosis.changes[i] ?? '', change);
  });

test('the call is believed above what can be inferred', () => {
  const contrary = { ...fine, ...without(0n), fileCapability: '', access: { ...without(0n).access, paranoid: 4 } };
  const { works, findings, changes } = diagnose({ ...contrary, tried: fine.tried });
  assert.ok(works);
  assert.deepEqual(changes, []);
  assert.deepEqual(
    findings.filter(({ level }) => level === 'problem'),
    [],
  );
});

test('CAP_SYS_ADMIN is enough', () => {
  const { findings } = diagnose({ ...fine, permitted: ADMIN, access: { ...fine.access, effective: ADMIN } });
  assert.equal(findings.find(({ topic }) => topic === 'process')?.text, 'uid 65534, has CAP_SYS_ADMIN');
});
