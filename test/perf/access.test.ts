import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  type Access,
  CAP_PERFMON,
  CAP_SYS_ADMIN,
  explain,
  knowsPerfmon,
  parseFilesMax,
  readAccess,
} from '../../src/perf/access.ts';
import { openTree } from '../../src/source/source.ts';
import { tree } from '../helpers/scrape.ts';

const PERFMON = 1n << BigInt(CAP_PERFMON);
const ADMIN = 1n << BigInt(CAP_SYS_ADMIN);

const nobody: Access = {
  effective: 0n,
  bounding: PERFMON | ADMIN,
  noNewPrivs: false,
  seccomp: 0,
  userNamespace: false,
  paranoid: 2,
  release: '6.12.0',
  isPatched: false,
  hasCorePmu: true,
  filesMax: 1024,
};

const shown = (given: object): string =>
  JSON.stringify(given, (_, value) => (typeof value === 'bigint' ? `0x${value.toString(16)}` : value));

for (const [errno, given, reason, remedy] of [
  ['EACCES', {}, 'no_capability', /setcap cap_perfmon=p.*sysctl kernel.perf_event_paranoid=0/],
  ['EACCES', { bounding: 0n }, 'no_capability', /add: \[PERFMON\]/],
  ['EACCES', { noNewPrivs: true }, 'no_capability', /AmbientCapabilities=CAP_PERFMON/],
  ['EACCES', { paranoid: 3, isPatched: true }, 'no_capability', /and sysctl kernel.perf_event_paranoid=2/],
  ['EACCES', { paranoid: 3, effective: PERFMON }, 'kernel_patch', /^sysctl kernel.perf_event_paranoid=2$/],
  ['EACCES', { paranoid: 4, effective: PERFMON, isPatched: true }, 'kernel_patch', /^sysctl/],
  ['EACCES', { paranoid: 3, effective: PERFMON | ADMIN }, 'security_module', /audit/],
  ['EACCES', { effective: PERFMON }, 'security_module', /SELinux/],
  ['EACCES', { effective: PERFMON, userNamespace: true }, 'user_namespace', /hostUsers: true/],
  ['EACCES', { release: '5.4.0-150-generic' }, 'old_kernel', /CAP_SYS_ADMIN/],
  ['EPERM', { seccomp: 2, effective: PERFMON }, 'seccomp', /profile/],
  ['EPERM', {}, 'security_module', /audit/],
  ['ENOENT', {}, 'no_event', /^$/],
  ['ENOENT', { hasCorePmu: false }, 'no_pmu', /virtual machine/],
  ['ENOTSUP', { hasCorePmu: false }, 'no_pmu', /./],
  ['NO_EVENT', { hasCorePmu: false }, 'no_event', /^$/],
  ['EMFILE', {}, 'files_limit', /LimitNOFILE/],
  ['ENODEV', {}, 'cpu_offline', /./],
  ['ENOSYS', {}, 'not_in_kernel', /CONFIG_PERF_EVENTS/],
  ['EBUSY', {}, 'busy', /./],
  ['NO_SYSCALLS', {}, 'no_syscalls', /./],
  ['EIO', {}, 'other', /^$/],
] as const)
  test(`${errno} with ${shown(given)} is ${reason}`, () => {
    const verdict = explain(errno, { ...nobody, ...given });
    assert.equal(verdict.reason, reason);
    assert.match(verdict.remedy, remedy);
    assert.notEqual(verdict.why, '');
  });

test('knowsPerfmon: since 5.8', () => {
  const releases = ['4.19.0', '5.7.19', '5.8.0', '5.10.0-30-amd64', '6.1.0'];
  assert.deepEqual(releases.map(knowsPerfmon), [false, false, true, true, true]);
});

const limits = (soft: string): string => `Limit            Soft Limit   Hard Limit   Units
Max open files            ${soft}                 524288               files
`;

test('parseFilesMax', () => {
  assert.equal(parseFilesMax(limits('1024')), 1024);
  assert.equal(parseFilesMax(limits('unlimited')), Number.POSITIVE_INFINITY);
});

test('readAccess reads the level, the release and whose kernel it is', (t) => {
  const root = tree(t, {
    'proc/sys/kernel/perf_event_paranoid': '3\n',
    'proc/sys/kernel/osrelease': '6.1.0-28-amd64\n',
    'proc/version': 'Linux version 6.1.0-28-amd64 (debian-kernel@lists.debian.org) (gcc-12) #1 SMP Debian 6.1.119-1\n',
    'proc/self/limits': limits('1024'),
    'empty/x': '',
  });
  const { effective, bounding, noNewPrivs, seccomp } = nobody;
  const parts = { privileges: { effective, bounding, noNewPrivs, seccomp }, userNamespace: false, hasCorePmu: true };
  assert.deepEqual(readAccess({ proc: openTree(`${root}/proc`), ...parts }), {
    ...nobody,
    paranoid: 3,
    release: '6.1.0-28-amd64',
    isPatched: true,
  });
  const bare = readAccess({ proc: openTree(`${root}/empty`), ...parts });
  assert.deepEqual([bare.paranoid, bare.isPatched, bare.filesMax], [undefined, false, Number.POSITIVE_INFINITY]);
});
