import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { closeSync, openSync, readlinkSync } from 'node:fs';
import process from 'node:process';
import { test } from 'node:test';
import { createRuleset, landlockVersion } from '../../src/syscall/landlock.ts';
import { loudly } from '../helpers/debian.ts';

const version = landlockVersion();
const skip = loudly(version === 0 && 'this kernel has no Landlock');

test('what is not allowed is refused: reading, writing, ports', { skip }, () => {
  const urlOf = (path: string): string => JSON.stringify(new URL(`../../src/syscall/${path}`, import.meta.url).href);
  const script = `
    import { closeSync, openSync, readdirSync } from 'node:fs';
    import { createServer } from 'node:net';
    import { setNoNewPrivs } from ${urlOf('capability.ts')};
    import { createRuleset, landlockVersion, restrict } from ${urlOf('landlock.ts')};
    const answer = (work) => { try { work(); return 'ok'; } catch (error) { return error.code; } };
    const free = await new Promise((resolve) => { const s = createServer().listen(0, '127.0.0.1', () => { const { port } = s.address(); s.close(() => resolve(port)); }); });
    const ruleset = createRuleset(landlockVersion(), { read: ['/proc', '/etc/hostname', '/nowhere'], list: [], execute: ['/bin/true'], bind: [free], connect: [] });
    setNoNewPrivs();
    restrict(ruleset);
    const told = [
      answer(() => closeSync(openSync('/proc/stat'))), answer(() => readdirSync('/proc')), answer(() => closeSync(openSync('/etc/passwd'))),
      answer(() => readdirSync('/')), answer(() => closeSync(openSync('/tmp/keyhole-never', 'w'))), answer(() => closeSync(openSync('/dev/null', 'w'))),
    ];
    const listen = (port) => new Promise((resolve) => { const s = createServer(); s.once('error', (error) => resolve(error.code)); s.listen(port, '127.0.0.1', () => { s.close(); resolve('ok'); }); });
    told.push(await listen(free), await listen(free === 65535 ? free - 1 : free + 1));
    process.stdout.write(JSON.stringify(told));`;
  const told = execFileSync(process.execPath, ['--input-type=module', '-e', script], { encoding: 'utf8' });
  const ports = version >= 4 ? ['ok', 'EACCES'] : ['ok', 'ok'];
  assert.deepEqual(JSON.parse(told), ['ok', 'ok', 'EACCES', 'EACCES', 'EACCES', 'EACCES', ...ports]);
});

test('rules are laid down for what is there, of files what files have, and bind nobody yet', { skip }, () => {
  const none = { read: [], list: ['/etc'], execute: [], bind: [], connect: [] };
  for (let older = 1; older <= version; older += 1) {
    const some = { read: ['/proc', '/etc/hostname', '/nowhere', '/etc/hostname/below'], execute: ['/bin/true'] };
    for (const allowances of [none, { ...none, ...some }, { ...none, bind: [0, 9100], connect: [65535] }]) {
      const ruleset = createRuleset(older, allowances);
      assert.match(readlinkSync(`/proc/self/fd/${ruleset}`), /landlock-ruleset/);
      closeSync(ruleset);
    }
  }
  if (version >= 4) assert.throws(() => createRuleset(version, { ...none, bind: [65536] }), { code: 'EINVAL' });
  closeSync(openSync('/etc/hostname', 'r'));
});
