import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import process from 'node:process';
import { test } from 'node:test';
import { defineCollector, type Host } from '../../src/core/collector.ts';
import { silent } from '../../src/core/log.ts';
import { HANDOVER_VARIABLE, HandoverError, writeHandover } from '../../src/privilege/handover.ts';
import { type Privilege, settlePrivilege } from '../../src/privilege/privilege.ts';
import { activationFds } from '../../src/privilege/seal.ts';
import { hexOf, holdsAny, ownPrivileges, threadPrivileges } from '../../src/sys/capability.ts';
import { written } from '../helpers/scrape.ts';

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
  settlePrivilege({ mode, candidates: [candidate], listenOn: [], log: silent, env });

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

test('what was handed over is served, sealed, and nothing is acquired', () => {
  const handed = new Map([['probe', { held: [], facts: 'from before' }]]);
  const { variable } = writeHandover({ acquired: handed, permittedAtStart: 1n << 38n, keep: 0n });
  const env = { [HANDOVER_VARIABLE]: variable };
  const before = calls;
  const sealed = settle('sealed', env);
  assert.equal(calls, before);
  assert.deepEqual(env, {});
  assert.equal(sealed.stage, 'sealed');
  assert.equal(sealed.reacquire, undefined);
  assert.deepEqual(sealed.acquired, handed);
  assert.equal(sealed.summary['permitted_at_start'], 'perfmon');

  const threads = threadPrivileges();
  const text = written((out) => sealed.write(out));
  const most = threads.reduce((mask, { permitted }) => mask | permitted, 0n);
  const info = `keyhole_privilege_info{mode="sealed",permitted="${hexOf(most)}",permitted_at_start="0000004000000000",stage="sealed"} 1`;
  const expected = [
    `keyhole_privilege_capable_threads ${threads.filter(holdsAny).length}`,
    'keyhole_privilege_descriptors{owner="probe"} 0',
    info,
    `keyhole_privilege_no_new_privs ${ownPrivileges().noNewPrivs ? 1 : 0}`,
  ];
  assert.deepEqual(
    text.split('\n').filter((line) => line !== '' && !line.startsWith('#')),
    expected,
  );
});

test('a seal that is refused is told, and what can be served is', (t) => {
  if (ownPrivileges().permitted === 0n) return t.skip('nothing is permitted to this user');
  const script = `
    import { settlePrivilege } from ${JSON.stringify(new URL('../../src/privilege/privilege.ts', import.meta.url).href)};
    process.execve = () => { throw new Error('refused'); };
    const log = { warn: (message, fields) => process.stdout.write(message + ' ' + JSON.stringify(fields) + '\\n') };
    const { stage, summary, reacquire } = settlePrivilege({ mode: 'sealed', candidates: [], listenOn: [], log, env: {} });
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
