import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { copyFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { test } from 'node:test';
import {
  CAPABILITIES,
  capDataLayout,
  capHeaderLayout,
  fileCapability,
  getCapabilities,
  hexOf,
  holdsAny,
  isInitialUserNamespace,
  maskOf,
  namesOf,
  ownPrivileges,
  parseFileCapability,
  parsePrivileges,
  setCapabilities,
  threadPrivileges,
} from '../../src/syscall/capability.ts';

test('the numbers are those of the kernel header', () => {
  assert.equal(CAPABILITIES.length, 41);
  assert.equal(maskOf(['perfmon']), 0x4000000000n);
  assert.equal(maskOf(['dac_read_search', 'sys_admin', 'checkpoint_restore']), 0x10000200004n);
  assert.deepEqual(namesOf(0x10000200004n), ['dac_read_search', 'sys_admin', 'checkpoint_restore']);
  assert.deepEqual(namesOf(1n << 50n), ['50']);
  assert.equal(hexOf(maskOf(['perfmon'])), '0000004000000000');
});

test('the structures have the sizes of the kernel header', () => {
  assert.equal(capHeaderLayout.sizeBytes, 8);
  assert.equal(capDataLayout.sizeBytes, 24);
});

const STATUS = `Name:\tnode-MainThread
CapInh:\t0000000000000001
CapPrm:\t0000004000000000
CapEff:\t0000000000000000
CapBnd:\t000001ffffffffff
CapAmb:\t0000000000000002
NoNewPrivs:\t1
Seccomp:\t2
Seccomp_filters:\t1
`;

test('a status is parsed', () => {
  assert.deepEqual(parsePrivileges(STATUS), {
    inheritable: 1n,
    permitted: 0x4000000000n,
    effective: 0n,
    bounding: 0x1ffffffffffn,
    ambient: 2n,
    noNewPrivs: true,
    seccomp: 2,
  });
  // Linux 3.10 has neither ambient capabilities nor a row for no_new_privs.
  const old = parsePrivileges('CapInh:\t0000000000000000\nCapPrm:\t0000000000000000\n');
  assert.deepEqual([old.ambient, old.noNewPrivs, old.seccomp, holdsAny(old)], [0n, undefined, undefined, false]);
});

test('any set but the bounding one counts as held', () => {
  const none = { inheritable: 0n, permitted: 0n, effective: 0n, ambient: 0n };
  const base = { ...none, bounding: 0x1ffn, noNewPrivs: true, seccomp: 0 };
  assert.equal(holdsAny(base), false);
  for (const set of Object.keys(none)) assert.equal(holdsAny({ ...base, [set]: 1n }), true, set);
});

test('what capget says is what the status says', () => {
  const { effective, permitted, inheritable } = ownPrivileges();
  assert.deepEqual(getCapabilities(), { effective, permitted, inheritable });
  assert.ok(threadPrivileges().length >= 1);
});

test('capset changes this thread and no other', (t) => {
  const before = getCapabilities();
  if (before.permitted === 0n) return t.skip('nothing is permitted to this user');
  setCapabilities({ ...before, effective: 0n });
  try {
    assert.equal(ownPrivileges().effective, 0n);
    assert.ok(threadPrivileges().some(({ effective }) => effective === before.effective));
  } finally {
    setCapabilities(before);
  }
});

test('the attribute of a file is parsed', () => {
  const bytes = (hex: string) => Buffer.from(hex, 'hex');
  const perfmon = maskOf(['perfmon']);
  const none = { permitted: perfmon, inheritable: 0n, effective: false, rootId: undefined };
  assert.deepEqual(parseFileCapability(bytes('0000000200000000000000004000000000000000')), none);
  assert.deepEqual(parseFileCapability(bytes('0100000200000000000000004000000000000000')), {
    ...none,
    effective: true,
  });
  const namespaced = parseFileCapability(bytes('000000030000000000000000400000000000000000000100'));
  assert.deepEqual(namespaced, { ...none, rootId: 65536 });
  for (const bad of ['', '00', '00000002', '0000000100000000', '000000030000000000000000400000000000000000'])
    assert.throws(() => parseFileCapability(bytes(bad)), /security\.capability: [0-9a-f]*: unknown revision/);
});

test('setcap is seen, and its absence', (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'keyhole-capability-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const file = join(folder, 'program');
  copyFileSync('/bin/true', file);
  assert.equal(fileCapability(file), undefined);
  assert.throws(() => fileCapability(join(folder, 'absent')), { code: 'ENOENT' });
  try {
    execFileSync('setcap', ['cap_perfmon=p', file], { stdio: 'ignore' });
  } catch {
    return t.skip('setcap is missing or refused');
  }
  assert.deepEqual(fileCapability(file), {
    permitted: maskOf(['perfmon']),
    inheritable: 0n,
    effective: false,
    rootId: undefined,
  });
});

test('the user namespace is told', () => {
  const isInitial = isInitialUserNamespace();
  assert.ok(isInitial === true || isInitial === false || process.platform !== 'linux');
});

/** In a mount namespace, with something else mounted over the status of the process. */
const WITHOUT_STATUS = 'for at in "" task/$$/; do mount --bind "$0" /proc/$$/${at}status || exit 9; done; exec "$@"';

for (const [why, mode, as] of [
  ['empty', 0o444, []],
  ['closed to us', 0, ['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups']],
] as const)
  test(`where the status is ${why}, the kernel is asked, and what it does not say is unknown`, (t) => {
    const folder = mkdtempSync(join(tmpdir(), 'keyhole-status-'));
    t.after(() => rmSync(folder, { recursive: true }));
    const file = join(folder, 'status');
    writeFileSync(file, '', { mode });
    const look = `
      import { getCapabilities, ownPrivileges, threadPrivileges } from '${new URL('../../src/syscall/capability.ts', import.meta.url)}';
      const asked = getCapabilities();
      const [own, [first, ...others]] = [ownPrivileges(), threadPrivileges()];
      process.stdout.write(JSON.stringify({
        isSame: ['effective', 'permitted', 'inheritable'].every((set) => own[set] === asked[set] && first[set] === asked[set]),
        bounding: String(own.bounding), own: own.noNewPrivs ?? null, first: first.noNewPrivs ?? null,
        others: others.every(({ permitted }) => permitted === asked.permitted),
      }));`;
    const node = [process.execPath, '--disable-warning=ExperimentalWarning', '--input-type=module', '--eval', look];
    const argv = ['--mount', '--', 'bash', '-c', WITHOUT_STATUS, file, ...as, ...node];
    const { status, stdout, stderr } = spawnSync('unshare', argv, { encoding: 'utf8' });
    if (status === 9 || stderr.startsWith('unshare:')) return t.skip('needs root and a mount namespace');
    assert.equal(status, 0, stderr);
    assert.deepEqual(JSON.parse(stdout), {
      isSame: true,
      bounding: String(ownPrivileges().bounding),
      own: ownPrivileges().noNewPrivs,
      first: null,
      others: true,
    });
  });
