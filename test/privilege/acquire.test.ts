import assert from 'node:assert/strict';
import { chmodSync, closeSync, fstatSync, mkdtempSync, openSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { type Acquired, defineCollector, type Host, type Privilege } from '../../src/core/collector.ts';
import { UsageError } from '../../src/core/errors.ts';
import { type Logger, silent } from '../../src/core/log.ts';
import { acquireAll, acquireOne, type Candidate, wantedBy, withEffective } from '../../src/privilege/acquire.ts';
import { getCapabilities, maskOf, ownPrivileges } from '../../src/syscall/capability.ts';

function candidate(acquire: () => Acquired, privileges: readonly Privilege[] = [], log: Logger = silent): Candidate {
  const collector = defineCollector({
    name: 'probe',
    help: 'A probe.',
    enabled: true,
    reads: [],
    flags: {},
    metrics: {},
    privileges,
    acquire,
    setup: () => () => {},
  });
  return { collector, host: { log } as Host };
}

const NOTHING = { held: [], facts: 1 };

test('the capabilities that collectors ask for are added up', () => {
  assert.equal(wantedBy([]), 0n);
  const some = [
    candidate(() => NOTHING, ['perfmon']),
    candidate(() => NOTHING),
    candidate(() => NOTHING, ['sys_admin']),
  ];
  assert.equal(wantedBy(some), maskOf(['perfmon', 'sys_admin']));
});

test('without a capability nothing is raised and the kernel is not asked', () => {
  assert.equal(
    withEffective(maskOf(['perfmon']), 0n, () => 7),
    7,
  );
  assert.deepEqual([...acquireAll([candidate(() => NOTHING)], 0n)], [['probe', NOTHING]]);
});

test("a fault of one collector is its own; a wrong flag is the operator's", () => {
  const told: string[] = [];
  const log = { ...silent, error: (message: string) => told.push(message) };
  const broken = candidate(
    () => {
      throw new Error('broken');
    },
    [],
    log as Logger,
  );
  assert.equal(acquireOne(broken, 0n), undefined);
  assert.deepEqual(told, ['opened nothing with privilege']);
  const wrong = candidate(() => {
    throw new UsageError('wrong');
  });
  assert.throws(() => acquireOne(wrong, 0n), UsageError);
});

test('exactly what is asked for and permitted is effective, and all as before afterwards', (t) => {
  const before = getCapabilities();
  if ((before.permitted & maskOf(['perfmon'])) === 0n) return t.skip('PERFMON is not permitted to this user');
  const during: bigint[] = [];
  const note = (): Acquired => {
    during.push(ownPrivileges().effective);
    return NOTHING;
  };
  acquireAll([candidate(note, ['perfmon']), candidate(note)], before.permitted);
  acquireOne(candidate(note, ['perfmon', 'sys_admin']), maskOf(['perfmon']));
  assert.deepEqual(during, [maskOf(['perfmon']), 0n, maskOf(['perfmon'])]);
  assert.deepEqual(getCapabilities(), before);
});

test("a capability opens the kernel's files only", (t) => {
  const { permitted } = getCapabilities();
  const reading = maskOf(['dac_read_search']);
  if ((permitted & reading) === 0n || process.getuid?.() !== 0) return t.skip('needs root');
  const folder = mkdtempSync(join(tmpdir(), 'keyhole-acquire-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const open = join(folder, 'open');
  const closed = join(folder, 'closed');
  writeFileSync(open, 'everybody may');
  writeFileSync(closed, 'nobody may');
  chmodSync(closed, 0);
  const paths = [open, closed, '/sys/kernel/uevent_seqnum'];
  const warned: unknown[] = [];
  const log = { ...silent, warn: (_: string, fields: unknown) => warned.push(fields) } as unknown as Logger;
  const acquire = (): Acquired => ({
    held: paths.map((path) => ({ key: path, fd: openSync(path, 'r'), kind: 'file', path })),
    facts: null,
  });
  const { held } = acquireOne(candidate(acquire, ['dac_read_search'], log), permitted) as Acquired;
  assert.deepEqual(
    held.map(({ path }) => path),
    [open, '/sys/kernel/uevent_seqnum'],
  );
  assert.deepEqual(warned, [{ path: closed }]);
  for (const { fd } of held) {
    assert.ok(fstatSync(fd).isFile());
    closeSync(fd);
  }
});
