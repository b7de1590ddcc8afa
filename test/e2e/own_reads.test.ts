// What the program opens for itself, by strace, is in docs/kernel-files.md.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { after, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { ownReads } from '../../tools/own_reads.ts';
import { lacksPackages, loudly } from '../helpers/debian.ts';
import { freePort, KEYHOLE } from '../helpers/exporter.ts';
import { covers } from '../helpers/reads.ts';

const skip = loudly(KEYHOLE.length > 1 ? 'what the program reads: npm run build first' : lacksPackages('strace'));
const folder = mkdtempSync(join(tmpdir(), 'keyhole-own-'));
after(() => rmSync(folder, { recursive: true, force: true }));

/** The files that a run opened and had: folders that a sandbox names are opened with O_PATH, and not read. */
const openedIn = (trace: string): string[] =>
  [...trace.matchAll(/open(?:at)?\((?:AT_FDCWD, )?"(\/[^"]*)", ([A-Z_|]+).*\) = (-?\d+)/g)].flatMap(
    ([, path = '', how = '', fd]) => (how.includes('O_PATH') || Number(fd) < 0 ? [] : [path]),
  );

test('what the program opens for itself is documented', { skip, timeout: 60_000 }, async () => {
  const trace = join(folder, 'trace');
  const url = `http://127.0.0.1:${await freePort()}`;
  const flags = ['--collector.disable-defaults', `--web.listen-address=${new URL(url).host}`];
  const argv = ['-f', '-s', '4096', '-e', 'trace=open,openat', '-o', trace, ...KEYHOLE, ...flags];
  // strace itself passes no signal on: the group gets it.
  const child = spawn('strace', argv, { stdio: 'ignore', detached: true });
  const page = async (path: string): Promise<number> => (await fetch(url + path).catch(() => undefined))?.status ?? 0;
  while (child.exitCode === null && (await page('/metrics')) === 0) await delay(100);
  assert.deepEqual([await page('/metrics'), await page('/')], [200, 200]);
  process.kill(-(child.pid as number), 'SIGTERM');
  await once(child, 'exit');
  const opened = [...new Set(openedIn(readFileSync(trace, 'utf8')))].map((path) =>
    path.replace(/^\/proc\/\d+/, '/proc/self'),
  );
  assert.ok(opened.length > 15, opened.join('\n'));
  const known = ownReads.map(([file]) => file);
  const isOwn = (path: string): boolean =>
    /\.so[.\d]*$/.test(path) || /^\/(dev\/null|usr\/share\/zoneinfo\/.*)$/.test(path) || path === KEYHOLE[0];
  assert.deepEqual(
    opened.filter((path) => !isOwn(path) && !known.some((entry) => covers(entry, path))),
    [],
  );
  const documented = readFileSync(new URL('../../docs/kernel-files.md', import.meta.url), 'utf8');
  for (const file of known) assert.ok(documented.includes(`\`${file}\``), file);
});
