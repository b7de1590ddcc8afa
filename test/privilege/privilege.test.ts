import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import process from 'node:process';
import { test } from 'node:test';
import { silent } from '../../src/core/log.ts';
import { HANDOVER_VARIABLE, HandoverError, requireSeal } from '../../src/privilege/handover.ts';
import { type PrivilegeOptions, settlePrivilege } from '../../src/privilege/privilege.ts';
import { ownPrivileges } from '../../src/syscall/capability.ts';

const OPTIONS: Omit<PrivilegeOptions, 'env'> = {
  mode: 'sealed',
  sandbox: 'auto',
  user: 'auto',
  candidates: [],
  log: silent,
  listenOn: [],
  passed: [],
  trees: { '/proc': '/proc', '/sys': '/sys' },
  rootfs: '/',
  files: [],
  argv: [],
};

/** Runs a script as one that has been sealed: without capabilities in any thread, under no_new_privs. */
function sealed(script: string): unknown {
  const none = process.getuid?.() === 0 ? ['--bounding-set=-all', '--inh-caps=-all'] : [];
  const node = [process.execPath, '--input-type=module', '-e', script];
  return JSON.parse(execFileSync('setpriv', ['--no-new-privs', ...none, ...node], { encoding: 'utf8' }));
}

const urlOf = (path: string): string => JSON.stringify(new URL(`../../${path}`, import.meta.url).href);

test('what was handed over is served, sealed, and nothing is acquired', () => {
  const told = sealed(`
    import { writeHandover } from ${urlOf('src/privilege/handover.ts')};
    import { settlePrivilege } from ${urlOf('src/privilege/privilege.ts')};
    import { written } from ${urlOf('test/helpers/scrape.ts')};
    const acquired = new Map([['probe', { held: [], facts: 'from before' }]]);
    const { variable } = writeHandover({ acquired, permittedAtStart: 1n << 38n, keep: 0n, wasCapable: true });
    const env = { KEYHOLE_HANDOVER: variable };
    const candidates = [{ collector: { name: 'probe', acquire() { throw new Error('acquired again'); } }, host: {} }];
    const log = { warn() {} };
    const settled = settlePrivilege({ ...${JSON.stringify(OPTIONS)}, candidates, log, env });
    const { stage } = settled;
    const before = written((out) => settled.write(out));
    const summary = settled.shut();
    const lines = written((out) => settled.write(out)).split('\\n').filter((line) => line !== '' && !line.startsWith('#') && !line.startsWith('keyhole_privilege_uid'));
    process.stdout.write(JSON.stringify({
      env, stage, before, uid: summary.uid === process.getuid(), canReacquire: 'reacquire' in settled, acquired: [...settled.acquired],
      permittedAtStart: summary.permitted_at_start, lines }));`);
  assert.deepEqual(told, {
    env: {},
    stage: 'sealed',
    before: '',
    uid: true,
    canReacquire: false,
    acquired: [['probe', { held: [], facts: 'from before' }]],
    permittedAtStart: 'perfmon',
    lines: [
      'keyhole_privilege_capable_threads 0',
      'keyhole_privilege_descriptors{owner="probe"} 0',
      'keyhole_privilege_info{mode="sealed",permitted="0000000000000000",permitted_at_start="0000004000000000",stage="sealed"} 1',
      // It was not executed again under Landlock, and has the last of two filters only.
      'keyhole_privilege_landlock_version 0',
      'keyhole_privilege_no_new_privs 1',
      'keyhole_privilege_seccomp 0',
      'keyhole_privilege_traceable 0',
    ],
  });
});

test('a hand-over that no seal came before is an error', () => {
  const none = { inheritable: 0n, permitted: 0n, effective: 0n, bounding: 0n, ambient: 0n, seccomp: 0 };
  const clean = { ...none, noNewPrivs: true };
  const perfmon = { ...clean, permitted: 1n << 38n };
  requireSeal([clean, { ...none, noNewPrivs: undefined }], 0n);
  requireSeal([perfmon, clean], 1n << 38n);
  assert.throws(() => requireSeal([clean, perfmon], 0n), /no seal came before it: perfmon permitted/);
  assert.throws(() => requireSeal([perfmon], 1n << 21n), /no seal came before it: perfmon permitted/);
  assert.throws(() => requireSeal([clean, { ...none, noNewPrivs: false }], 0n), /no_new_privs is not set/);
});

/** Settles in a process whose exec is refused, and says how that ended. */
function refused(options: Partial<PrivilegeOptions>, prefix: readonly string[]): string {
  const script = `
    import { settlePrivilege } from ${urlOf('src/privilege/privilege.ts')};
    process.execve = () => { throw new Error('refused'); };
    const log = { warn: (message, { err }) => process.stdout.write(message + ': ' + err + '\\n'), info() {} };
    try {
      const settled = settlePrivilege({ ...${JSON.stringify({ ...OPTIONS, ...options })}, log, env: {} });
      const { capable_threads, no_new_privs, landlock, seccomp } = settled.shut();
      process.stdout.write(JSON.stringify([settled.stage, capable_threads > 0, no_new_privs, landlock, seccomp]));
    } catch (error) { process.stdout.write(error.code + ': ' + error.message); }`;
  const [program, ...rest] = [...prefix, process.execPath, '--input-type=module', '-e', script];
  return execFileSync(program as string, rest, { encoding: 'utf8' });
}

test('where the exec is refused, who held nothing serves, confined as far as it goes', () => {
  const none = process.getuid?.() === 0 ? ['setpriv', '--bounding-set=-all', '--inh-caps=-all'] : [];
  const told = refused({}, none);
  assert.equal(told, 'cannot execute the program again: refused\n["direct",false,true,0,true]');
  assert.match(refused({ sandbox: 'require' }, none), /SEAL: --privilege.sandbox=require: no Landlock here$/);
});

test('where the exec is refused, who holds a capability serves with it only if that was asked for', (t) => {
  if (ownPrivileges().permitted === 0n) return t.skip('nothing is permitted to this user');
  assert.match(
    refused({}, []),
    /^cannot execute the program again: refused\nSEAL: cannot seal: some threads would keep/,
  );
  assert.match(refused({ mode: 'none' }, []), /\["unsealed",true,true,0,true\]$/);
});

test('a forged hand-over ends the start', () => {
  assert.throws(() => settlePrivilege({ ...OPTIONS, env: { [HANDOVER_VARIABLE]: '3.forged' } }), HandoverError);
});

test('a seal that is said to have come before, and did not, ends the start', (t) => {
  if (ownPrivileges().noNewPrivs === true) return t.skip('no_new_privs is set already');
  assert.throws(() => settlePrivilege({ ...OPTIONS, env: { [HANDOVER_VARIABLE]: 'nothing' } }), HandoverError);
});
