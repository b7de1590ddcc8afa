// What the program opens for itself, by strace, is in docs/kernel-files.md.
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { after, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { collectors } from '../../src/collectors/index.ts';
import { ownReads } from '../../tools/own_reads.ts';
import { lacksPackages, loudly, notRoot } from '../helpers/debian.ts';
import { freePort, KEYHOLE } from '../helpers/exporter.ts';
import { covers, isAbove } from '../helpers/reads.ts';

const skip = loudly(KEYHOLE.length > 1 ? 'what the program reads: npm run build first' : lacksPackages('strace'));
const folder = mkdtempSync(join(tmpdir(), 'keyhole-own-'));
// strace writes there as another user too.
chmodSync(folder, 0o777);
after(() => rmSync(folder, { recursive: true, force: true }));

/** The files that a run opened and had: folders that a sandbox names are opened with O_PATH, and not read. */
const openedIn = (trace: string): string[] =>
  [...trace.matchAll(/open(?:at)?\((?:AT_FDCWD, )?"(\/[^"]*)", ([A-Z_|]+).*\) = (-?\d+)/g)].flatMap(
    ([, path = '', how = '', fd]) => (how.includes('O_PATH') || Number(fd) < 0 ? [] : [path]),
  );

/** As another user than root, perf is denied, and the reason is looked for; root's trace has what opens counters. */
interface Case {
  readonly name: string;
  readonly flags: readonly string[];
  readonly user?: number;
}
const CASES: readonly Case[] = [
  { name: 'without a collector', flags: ['--collector.disable-defaults'] },
  { name: 'with the default collectors and perf', flags: ['--collector.perf'] },
  { name: 'with the default collectors, denied perf', flags: ['--collector.perf'], user: 65534 },
];

/** Of those that these runs switch on; none reads below a folder that a flag names. */
const ofCollectors = collectors
  .filter(({ name, enabled }) => enabled || name === 'perf')
  .flatMap(({ reads }) => reads)
  .filter((entry) => !entry.startsWith('<'));
const own = ownReads.map(([file]) => file);
const isLoaders = (path: string): boolean =>
  /\.so[.\d]*$/.test(path) || /^\/(dev\/null|usr\/share\/zoneinfo(\/.*)?)$/.test(path) || path === KEYHOLE[0];

/** What a run opened, beyond the files that the page has and the folders above them. */
const unknownIn = (trace: string, entries: readonly string[]): string[] => {
  const opened = [...new Set(openedIn(trace))].map((path) => path.replace(/^\/proc\/\d+/, '/proc/self'));
  assert.ok(opened.length > 15, opened.join('\n'));
  return opened.filter(
    (path) => !isLoaders(path) && !entries.some((entry) => covers(entry, path) || isAbove(path, entry)),
  );
};

for (const { name, flags, user } of CASES) {
  const lacksUser = user === undefined ? false : loudly(notRoot());
  test(`what the program opens is documented: ${name}`, { skip: skip || lacksUser, timeout: 60_000 }, async () => {
    const trace = join(folder, `trace-${CASES.findIndex((each) => each.name === name)}`);
    const url = `http://127.0.0.1:${await freePort()}`;
    const called = ['-f', '-s', '4096', '-e', 'trace=open,openat', '-o', trace, ...KEYHOLE, ...flags];
    // strace itself passes no signal on: the group gets it. The user is changed before strace, whose trace would have setpriv's files.
    const child = spawn('strace', [...called, `--web.listen-address=${new URL(url).host}`], {
      stdio: 'ignore',
      detached: true,
      ...(user === undefined ? {} : { uid: user, gid: user }),
    });
    const page = async (path: string): Promise<number> => (await fetch(url + path).catch(() => undefined))?.status ?? 0;
    while (child.exitCode === null && (await page('/metrics')) === 0) await delay(100);
    assert.deepEqual([await page('/metrics'), await page('/')], [200, 200]);
    process.kill(-(child.pid as number), 'SIGTERM');
    await once(child, 'exit');
    const text = readFileSync(trace, 'utf8');
    if (user !== undefined) assert.match(text, /"\/proc\/sys\/kernel\/perf_event_paranoid"/);
    assert.deepEqual(unknownIn(text, flags.includes('--collector.perf') ? [...own, ...ofCollectors] : own), []);
  });
}

test('what doctor opens is documented', { skip, timeout: 60_000 }, () => {
  const trace = join(folder, 'trace-doctor');
  // Without -f: where an exporter runs here, doctor asks systemctl about its unit.
  spawnSync('strace', ['-s', '4096', '-e', 'trace=open,openat', '-o', trace, ...KEYHOLE, 'doctor']);
  const text = readFileSync(trace, 'utf8');
  assert.match(text, /"\/sys\/kernel\/security\/lsm"/);
  assert.deepEqual(unknownIn(text, [...own, ...ofCollectors]), []);
});

test('the page has what the program reads for itself', () => {
  const documented = readFileSync(new URL('../../docs/kernel-files.md', import.meta.url), 'utf8');
  for (const file of own) assert.ok(documented.includes(`\`${file}\``), file);
});
