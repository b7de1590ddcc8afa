import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import process from 'node:process';
import { test } from 'node:test';
import { defineCollector, type Host } from '../../src/core/collector.ts';
import { silent } from '../../src/core/log.ts';
import { HANDOVER_VARIABLE, HandoverError, requireSeal } from '../../src/privilege/handover.ts';
import { type Privilege, settlePrivilege } from '../../src/privilege/privilege.ts';
import { activationFds } from '../../src/privilege/seal.ts';
import { holdsAny, ownPrivileges, threadPrivileges } from '../../src/syscall/capability.ts';

let calls = 0;
const probe = defineCollector({
  name: 'probe',
  help: 'A probe.',
  enabled: true,
  reads: [],
  flags: {},
  metrics: {},
  acquire: () => {
    calls += 1;
    return { held: [], facts: calls };
  },
  setup: () => () => {},
});
const candidate = { collector: probe, host: { log: silent } as Host };

const settle = (mode: 'sealed' | 'none', env: NodeJS.ProcessEnv = {}): Privilege =>
  settlePrivilege({ mode, candidates: [candidate], listenOn: [], sysfs: '/sys', log: silent, env });

test('a process that keeps what it has can acquire again', () => {
  const { stage, acquired, reacquire, summary } = settle('none');
  const isCapable = threadPrivileges().some(holdsAny);
  assert.equal(stage, isCapable ? 'unsealed' : 'direct');
  assert.deepEqual(acquired.get('probe'), { held: [], facts: calls });
  const before = calls;
  assert.deepEqual(reacquire?.(candidate), { held: [], facts: before + 1 });
  assert.equal(summary['mode'], 'none');
  assert.equal(summary['descriptors'], 'probe:0');
});

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
    const { variable } = writeHandover({ acquired, permittedAtStart: 1n << 38n, keep: 0n });
    const env = { KEYHOLE_HANDOVER: variable };
    const candidates = [{ collector: { name: 'probe', acquire() { throw new Error('acquired again'); } }, host: {} }];
    const settled = settlePrivilege({ mode: 'sealed', candidates, listenOn: [], sysfs: '/sys', log: {}, env });
    const { stage, summary } = settled;
    const lines = written((out) => settled.write(out)).split('\\n').filter((line) => line !== '' && !line.startsWith('#'));
    process.stdout.write(JSON.stringify({
      env, stage, canReacquire: 'reacquire' in settled, acquired: [...settled.acquired],
      permittedAtStart: summary.permitted_at_start, lines }));`);
  assert.deepEqual(told, {
    env: {},
    stage: 'sealed',
    canReacquire: false,
    acquired: [['probe', { held: [], facts: 'from before' }]],
    permittedAtStart: 'perfmon',
    lines: [
      'keyhole_privilege_capable_threads 0',
      'keyhole_privilege_descriptors{owner="probe"} 0',
      'keyhole_privilege_info{mode="sealed",permitted="0000000000000000",permitted_at_start="0000004000000000",stage="sealed"} 1',
      'keyhole_privilege_no_new_privs 1',
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

test('a seal that is refused is told, and what can be served is', (t) => {
  if (ownPrivileges().permitted === 0n) return t.skip('nothing is permitted to this user');
  const script = `
    import { settlePrivilege } from ${JSON.stringify(new URL('../../src/privilege/privilege.ts', import.meta.url).href)};
    process.execve = () => { throw new Error('refused'); };
    const log = { warn: (message, fields) => process.stdout.write(message + ' ' + JSON.stringify(fields) + '\\n') };
    const { stage, summary, reacquire } = settlePrivilege({ mode: 'sealed', candidates: [], listenOn: [], sysfs: '/sys', log, env: {} });
    process.stdout.write(JSON.stringify([stage, summary.capable_threads > 0, typeof reacquire]) + '\\n');`;
  const told = execFileSync(process.execPath, ['--input-type=module', '-e', script], { encoding: 'utf8' });
  assert.equal(told, 'cannot seal the process {"err":"refused"}\n["unsealed",true,"function"]\n');
});

test('a forged hand-over ends the start', () => {
  assert.throws(() => settle('sealed', { [HANDOVER_VARIABLE]: '3.forged' }), HandoverError);
});

test('sockets of systemd are known by the process they are for', () => {
  const own = String(process.pid);
  assert.deepEqual(activationFds({ LISTEN_PID: own, LISTEN_FDS: '2' }), [3, 4]);
  assert.deepEqual(activationFds({ LISTEN_PID: own, LISTEN_FDS: '0' }), []);
  assert.deepEqual(activationFds({ LISTEN_PID: `${process.pid + 1}`, LISTEN_FDS: '2' }), []);
  assert.deepEqual(activationFds({ LISTEN_PID: own, LISTEN_FDS: '-1' }), []);
  assert.deepEqual(activationFds({ LISTEN_FDS: '1' }), []);
  assert.equal(activationFds({ LISTEN_PID: own, LISTEN_FDS: '9999' }).length, 1024);
});
