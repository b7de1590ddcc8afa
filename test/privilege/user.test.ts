import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { type TestContext, test } from 'node:test';
import type { Needs } from '../../src/core/collector.ts';
import { UsageError } from '../../src/core/errors.ts';
import { type Logger, silent } from '../../src/core/log.ts';
import { chooseUser, parseUser, pathsLike, type UserParts } from '../../src/privilege/user.ts';
import { getCapabilities, ownPrivileges } from '../../src/syscall/capability.ts';
import { asUser, CHANGE_USER } from '../../src/syscall/identity.ts';
import { probe } from '../helpers/probe.ts';

const passwd = () => 'root:x:0:0:root:/root:/bin/sh\nkeyhole:x:997:996::/:/bin/false\nbroken\n';

test('a user by number, numbers or name', () => {
  assert.deepEqual(parseUser('65534', passwd), { uid: 65534, gid: 65534 });
  assert.deepEqual(parseUser('1000:100', passwd), { uid: 1000, gid: 100 });
  assert.deepEqual(parseUser('keyhole', passwd), { uid: 997, gid: 996 });
  assert.deepEqual(parseUser('root', passwd), { uid: 0, gid: 0 });
  for (const wrong of ['', 'nobody', '1:', ':1', '-1', '1:2:3', 'broken'])
    assert.throws(() => parseUser(wrong, passwd), UsageError, wrong);
});

function folderOf(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'keyhole-user-'));
  chmodSync(folder, 0o755);
  t.after(() => rmSync(folder, { recursive: true }));
  return folder;
}

test('a pattern stands for some of what is there', (t) => {
  const folder = folderOf(t);
  for (const name of ['a1', 'a2', 'a3', 'a4', 'b1']) {
    mkdirSync(join(folder, name));
    for (const file of ['x', 'y', 'z.prom']) writeFileSync(join(folder, name, file), '');
  }
  const like = (pattern: string) => pathsLike(`${folder}/${pattern}`).map((path) => path.slice(folder.length + 1));
  assert.deepEqual(like('a<n>/x'), ['a1/x', 'a2/x', 'a3/x']);
  assert.deepEqual(like('b1/*'), ['b1/x', 'b1/y', 'b1/z.prom']);
  assert.deepEqual(like('b*/*.prom'), ['b1/z.prom']);
  assert.deepEqual(like('none/<x>/y'), []);
  assert.deepEqual(like('b1/y'), ['b1/y']);
});

const isRoot = process.geteuid?.() === 0 && (ownPrivileges().permitted & CHANGE_USER) === CHANGE_USER;
const skip = isRoot ? false : 'needs root with CAP_SETUID and CAP_SETGID';

function parts(
  reads: readonly string[],
  more: Partial<UserParts> & { needs?: Needs } = {},
): { parts: UserParts; logged: unknown[] } {
  const logged: unknown[] = [];
  const note = (message: string, fields?: unknown) => logged.push([message, fields]);
  const log = { ...silent, info: note, warn: note } as Logger;
  const { needs = {}, ...rest } = more;
  return {
    parts: {
      wish: 'auto',
      candidates: [probe(reads, needs)],
      trees: { '/proc': '/proc', '/sys': '/sys' },
      files: [],
      held: new Set(),
      log,
      ...rest,
    },
    logged,
  };
}

test('nobody serves where nothing is lost', { skip }, () => {
  const { parts: some, logged } = parts([
    '/proc/stat',
    '/sys/devices/system/cpu/{online,nothing}',
    '/proc/self/auxv',
    '<x>/y',
  ]);
  assert.deepEqual(chooseUser(some), { uid: 65534, gid: 65534 });
  assert.deepEqual(logged, []);
});

test('root stays where something would be lost, unless it is open already', { skip }, (t) => {
  const folder = folderOf(t);
  const secret = join(folder, 'secret');
  writeFileSync(secret, '', { mode: 0o400 });
  const { parts: some, logged } = parts(['/proc/stat'], { files: [secret] });
  assert.equal(chooseUser(some), undefined);
  assert.match(JSON.stringify(logged), /Serving as root without capabilities.*web: \S*secret/);
  assert.deepEqual(chooseUser(parts([], { files: [secret], held: new Set([secret]) }).parts), {
    uid: 65534,
    gid: 65534,
  });
  assert.equal(
    chooseUser(parts([], { needs: { files: [folder] } }).parts),
    undefined,
    'a file in a folder that a flag names',
  );
  const given = parts([], { files: [secret], wish: '1234' });
  assert.deepEqual(chooseUser(given.parts), { uid: 1234, gid: 1234 });
  assert.match(JSON.stringify(given.logged), /this user may not read what root may.*secret/);
  assert.equal(chooseUser(parts([], { wish: '0' }).parts), undefined);
});

test('what root without capabilities cannot read either is not lost by the change', { skip }, (t) => {
  const folder = folderOf(t);
  const others = join(folder, 'others');
  writeFileSync(others, '', { mode: 0 });
  assert.deepEqual(chooseUser(parts([], { files: [others] }).parts), { uid: 65534, gid: 65534 });
});

test('a socket that is closed to others keeps root', { skip }, (t) => {
  const socket = join(folderOf(t), 'socket');
  writeFileSync(socket, '', { mode: 0o700 });
  const asking = parts([], { needs: { sockets: [{ family: 'unix', path: socket }] } }).parts;
  assert.equal(chooseUser(asking), undefined);
  chmodSync(socket, 0o777);
  assert.deepEqual(chooseUser(asking), { uid: 65534, gid: 65534 });
});

test('what is asked about must be reachable, and is not asked for itself', { skip }, (t) => {
  const folder = folderOf(t);
  const closed = join(folder, 'closed');
  mkdirSync(closed, { mode: 0o700 });
  const asking = (path: string) => parts([], { needs: { asksAbout: () => [path] } }).parts;
  assert.equal(chooseUser(asking(join(closed, 'mount'))), undefined);
  assert.deepEqual(chooseUser(asking(closed)), { uid: 65534, gid: 65534 });
});

test('to be another user for a moment leaves no trace', { skip }, () => {
  const state = () => [process.getuid?.(), process.getgid?.(), process.getgroups?.(), getCapabilities()];
  const before = state();
  const during = asUser({ uid: 1234, gid: 4321 }, () => [
    process.getuid?.(),
    process.geteuid?.(),
    process.getegid?.(),
    getCapabilities().effective & ~CHANGE_USER,
  ]);
  assert.deepEqual(during, [1234, 1234, 4321, 0n]);
  assert.deepEqual(state(), before);
  assert.throws(() => asUser({ uid: 1234, gid: 4321 }, () => assert.fail('inside')), /inside/);
  assert.deepEqual(state(), before);
});

test('who is not root stays who he is', { skip: isRoot && 'is root' }, () => {
  assert.equal(chooseUser(parts([]).parts), undefined);
  const { parts: given, logged } = parts([], { wish: '1' });
  assert.equal(chooseUser(given), undefined);
  assert.match(JSON.stringify(logged), /cannot become another user/);
});
