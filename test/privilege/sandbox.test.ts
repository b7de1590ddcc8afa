import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, normalize } from 'node:path';
import process from 'node:process';
import { type TestContext, test } from 'node:test';
import { collectors } from '../../src/collectors/index.ts';
import { type AnyCollector, hostOf, type Machine } from '../../src/core/assemble.ts';
import type { Needs } from '../../src/core/collector.ts';
import { parseFlags } from '../../src/core/flag.ts';
import { silent } from '../../src/core/log.ts';
import { openDaemons } from '../../src/daemon/daemons.ts';
import { openNetwork } from '../../src/netlink/network.ts';
import {
  mappedFiles,
  planOpener,
  planSandbox,
  type SandboxParts,
  withFolder,
  withSurroundings,
} from '../../src/privilege/sandbox.ts';
import { othersFiles } from '../../src/source/others_files.ts';
import { createSource } from '../../src/source/source.ts';
import { openSystem } from '../../src/syscall/system.ts';
import { probe } from '../helpers/probe.ts';

function folderOf(t: TestContext): string {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), 'keyhole-plan-')));
  t.after(() => rmSync(folder, { recursive: true }));
  return folder;
}

const PARTS: SandboxParts = {
  candidates: [],
  trees: ['/host/proc', '/host/sys'],
  rootfs: '/',
  files: [],
  listenOn: [],
  env: {},
};

test('the trees, the runtime, and nothing of the machine beside', () => {
  const { read, execute, bind, connect, sockets } = planSandbox(PARTS);
  for (const path of ['/host/proc', '/host/sys', '/proc', '/sys', '/etc/localtime', '/usr/share/zoneinfo'])
    assert.ok(read.includes(path), path);
  for (const path of ['/', '/etc', '/etc/passwd', '/home', '/root', '/usr', '/var', '/etc/hosts'])
    assert.ok(!read.includes(path), path);
  assert.deepEqual([bind, connect, sockets], [[], [], []]);
  assert.equal(execute[0], '/proc/self/exe');
  assert.ok(execute.length <= 2, execute.join());
});

test('the opener has its own files and what it is given, and neither the trees nor a port', () => {
  const { read, list, execute, bind, connect } = planOpener(['/sys/fs/cgroup'], { OPENSSL_CONF: '/x/openssl.cnf' });
  for (const path of ['/sys/fs/cgroup', '/proc/self', '/x/openssl.cnf']) assert.ok(read.includes(path), path);
  for (const path of ['/', '/proc', '/sys', '/etc', '/etc/hosts']) assert.ok(!read.includes(path), path);
  assert.deepEqual([list, bind, connect], [[], [], []]);
  assert.equal(execute[0], '/proc/self/exe');
});

test('what collectors read beyond the trees, to the first open name, here and below the host root', () => {
  const reads = [
    '/proc/stat',
    '/sys/class/<x>',
    '/run/udev/data/b<n>',
    '<folder>/x',
    '/etc/os-release',
    '/opt/zones/<zone>',
  ];
  const plan = (rootfs: string) => planSandbox({ ...PARTS, rootfs, candidates: [probe(reads, {})] }).read;
  assert.deepEqual(
    plan('/host').filter((path) => /os-release|zones|stat|class|udev|folder/.test(path)),
    ['/etc/os-release', '/host/etc/os-release', '/opt/zones', '/host/opt/zones'],
  );
  assert.deepEqual(
    plan('/').filter((path) => /os-release|zones/.test(path)),
    ['/etc/os-release', '/opt/zones'],
  );
});

test('sockets, ports and names', () => {
  const candidates = [probe([], { sockets: [{ family: 'tcp', port: 9001 }, { family: 'udp' }] }), probe([], {})];
  const listenOn = [
    { host: '127.0.0.1', port: 9100 },
    { host: '::', port: 9100 },
    { host: '', port: 0 },
  ];
  const { bind, connect, sockets, read } = planSandbox({ ...PARTS, candidates, listenOn });
  assert.deepEqual([bind, connect, sockets.length], [[9100, 0], [9001], 2]);
  assert.ok(!read.includes('/etc/hosts'));
  const named = { ...PARTS, listenOn: [{ host: 'localhost', port: 1 }] };
  assert.ok(planSandbox(named).read.includes('/etc/hosts'));
  assert.ok(planSandbox({ ...PARTS, candidates: [probe([], { resolves: true })] }).read.includes('/etc/resolv.conf'));
  assert.ok(planSandbox({ ...PARTS, env: { OPENSSL_CONF: '/x/openssl.cnf' } }).read.includes('/x/openssl.cnf'));
});

test("a path of the user's: with what may take its place, and without what is too wide", (t) => {
  const folder = folderOf(t);
  const texts = join(folder, 'a/b/texts');
  const elsewhere = join(folder, 'elsewhere');
  mkdirSync(texts, { recursive: true });
  mkdirSync(elsewhere);
  writeFileSync(join(elsewhere, 'job.prom'), '');
  symlinkSync(join(elsewhere, 'job.prom'), join(texts, 'job.prom'));
  symlinkSync(join(elsewhere, 'gone'), join(texts, 'gone.prom'));
  assert.deepEqual(withSurroundings(texts), [texts, dirname(texts), join(elsewhere, 'job.prom'), elsewhere]);
  assert.deepEqual(withSurroundings(`${folder}/a/*/texts`)[0], join(folder, 'a'), 'a pattern');
  assert.equal(withSurroundings(join(texts, 'not/yet'))[0], texts);
  assert.deepEqual(withSurroundings('/no-such-folder/texts'), [], 'never the root');
  assert.ok(!withSurroundings('/usr/lib').includes('/usr'));
  assert.deepEqual(withFolder('/web.yml'), ['/web.yml', '/web.yml']);
  assert.ok(withFolder(join(texts, 'job.prom')).includes(elsewhere), 'a link to where certificates are');
});

test('the executable and its loader, by what is mapped', () => {
  const maps = [
    '00400000-00401000 r-xp 00000000 fe:00 12 /opt/keyhole',
    '7f0000000000-7f0000001000 r-xp 00000000 fe:00 34 /lib/x86_64-linux-gnu/libc.so.6',
    '7f0000002000-7f0000003000 r-xp 00000000 fe:00 56 /lib64/ld-linux-x86-64.so.2',
    '7f0000004000-7f0000005000 rw-p 00000000 00:00 0',
    '7fff00000000-7fff00001000 r-xp 00000000 00:00 0 [vdso]',
    '',
  ].join('\n');
  assert.deepEqual(mappedFiles(maps), {
    execute: ['/proc/self/exe', '/lib64/ld-linux-x86-64.so.2'],
    folders: ['/lib/x86_64-linux-gnu', '/lib64'],
  });
});

const SOURCES = new URL('../../src/', import.meta.url).pathname;

/** Every file of ours that a module loads, itself included. Types are not loaded. */
function loadedBy(path: string, seen = new Set<string>()): Set<string> {
  if (seen.has(path)) return seen;
  seen.add(path);
  const text = readFileSync(join(SOURCES, path), 'utf8');
  for (const [, specifier] of text.matchAll(/^(?:import|export) (?!type\b)[^;]*?from '(\.[^']+)'/gms))
    loadedBy(normalize(join(dirname(path), specifier as string)), seen);
  return seen;
}

function needsOf(collector: AnyCollector): Needs | undefined {
  const source = createSource();
  const { openTree } = source;
  const machine: Machine = {
    proc: openTree('/proc'),
    sys: openTree('/sys'),
    udev: openTree('/run/udev/data'),
    root: openTree('/'),
    rootfs: '/',
    own: openTree('/proc'),
    openTree,
    othersFiles,
    network: openNetwork(source.clock),
    system: openSystem(),
    daemons: openDaemons(),
    log: silent,
  };
  const parsed = parseFlags([], Object.values(collector.flags));
  return collector.needs?.(hostOf(collector, { machine, parsed, enabled: [collector] }));
}

const families = (needs: Needs | undefined): string[] => (needs?.sockets ?? []).map(({ family }) => family);

/** Modules that open sockets, and what a collector that loads one must declare. */
const OPENERS: readonly (readonly [module: RegExp, ...families: readonly string[]])[] = [
  [/from '(?:node:)?(net|http|https|tls|http2)'/, 'tcp', 'unix'],
  [/from '(?:node:)?dgram'/, 'udp', 'unix'],
  [/\bnetworkInterfaces\b/, 'netlink'],
  [/syscall\('socket'/, 'netlink', 'tcp', 'udp', 'unix'],
];

/** Handles of the host that open sockets, as a collector takes them. */
const HANDLES: readonly (readonly [handle: RegExp, ...families: readonly string[]])[] = [
  [/[{,] network[,: }]/, 'netlink'],
  [/[{,] daemons[,: }]/, 'tcp', 'udp', 'unix'],
  [/[{,] system: \{ ethtool\b/, 'netlink'],
];

for (const collector of collectors)
  test(`${collector.name} declares what it opens beside the trees`, () => {
    const needs = needsOf(collector);
    const own = readFileSync(join(SOURCES, 'collectors', `${collector.name}.ts`), 'utf8');
    const texts = [...loadedBy(`collectors/${collector.name}.ts`)].map((path) =>
      readFileSync(join(SOURCES, path), 'utf8'),
    );
    for (const [module, ...any] of OPENERS) {
      // Parsing an address opens nothing.
      const opens = texts.some((text) =>
        module.test(text.replace(/import \{ ((BlockList|isIPv?[46]?)(, )?)+ \} from 'node:net';/g, '')),
      );
      if (opens)
        assert.ok(
          any.some((family) => families(needs).includes(family)),
          `${module}: \`needs\` names none of ${any}`,
        );
    }
    for (const [handle, ...any] of HANDLES)
      if (handle.test(own))
        assert.ok(
          any.some((family) => families(needs).includes(family)),
          `${handle}: \`needs\` names none of ${any}`,
        );
    // Who opens files by himself opens them beyond the trees, or holds them from before the seal.
    const opensFiles = /from 'node:fs(\/promises)?'|\bopenTree\(/.test(own);
    const outside = collector.reads.some((path) => /^\/(?!(proc|sys|run\/udev)\/)/.test(path));
    if (opensFiles)
      assert.ok(
        outside || needs !== undefined || collector.acquire !== undefined || /openTree\('\/(sys|proc)'\)/.test(own),
        'opens files and declares none',
      );
    // What a flag names is not in `reads`.
    if (collector.reads.some((path) => path.startsWith('<')))
      assert.notEqual(needs?.files, undefined, '`reads` begins with an open name');
  });

test('the test above can fail', () => {
  assert.ok([...loadedBy('collectors/arp.ts')].includes('netlink/rtnetlink.ts'));
  assert.ok(!loadedBy('collectors/loadavg.ts').has('netlink/rtnetlink.ts'));
  for (const [i, name] of ['network_route', 'logind', 'ethtool'].entries())
    assert.match(readFileSync(join(SOURCES, 'collectors', `${name}.ts`), 'utf8'), (HANDLES[i] as [RegExp])[0]);
  assert.equal(process.platform, 'linux');
});
