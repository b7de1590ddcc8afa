// Builds the single executable: one CommonJS bundle (the ES module loader would cost 15 MB of memory) inside a stripped Node.
// `node tools/build.ts [--arch x64|arm64]` writes dist/keyhole, or dist/<arch>/keyhole for another machine's architecture.
import { isAscii } from 'node:buffer';
import { execFileSync, spawnSync } from 'node:child_process';
import {
  chmodSync,
  closeSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join, relative } from 'node:path';
import process from 'node:process';
import { parseArgs } from 'node:util';
import { build } from 'esbuild';
import { debianTree } from './debian.ts';
import { licences } from './licences.ts';

export type Architecture = 'x64' | 'arm64';

const root = new URL('../', import.meta.url).pathname;
const dist = join(root, 'dist');

/**
 * Small young generation, no helper threads: an exporter works some milliseconds a minute. No baseline compiler: it costs a
 * megabyte and saves nothing that can be measured. What runs once in a scrape is worth compiling after 100 of them; V8 would wait
 * for 400. The second optimising compiler, Turbofan, takes five megabytes of code and as many of zones, and what it gains is
 * within the noise. And no debugger, which SIGUSR1 would open to every user of the machine.
 */
export const EXEC_ARGV = [
  '--max-semi-space-size=1',
  '--v8-pool-size=1',
  '--single-threaded-gc',
  '--no-sparkplug',
  '--invocation-count-for-maglev=100',
  '--no-turbofan',
  '--disable-sigusr1',
  '--disable-warning=ExperimentalWarning',
] as const;

/** What git answers, or nothing where this is no checkout. */
export function git(...args: string[]): string {
  try {
    return execFileSync('git', args, { cwd: root, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim();
  } catch {
    return '';
  }
}

/** The commit that is built. */
export const revision = (): string => git('rev-parse', 'HEAD') || 'unknown';

/** What `--version` shows of the commit that is built. */
const commitFacts = (): Record<string, string> => ({
  KEYHOLE_REVISION: JSON.stringify(revision()),
  KEYHOLE_BRANCH: JSON.stringify(git('rev-parse', '--abbrev-ref', 'HEAD')),
});

/** Bundles src/main.ts to dist/keyhole.cjs. */
export async function bundle(): Promise<string> {
  const outfile = join(dist, 'keyhole.cjs');
  await build({
    entryPoints: [join(root, 'src/main.ts')],
    outfile,
    bundle: true,
    platform: 'node',
    target: 'node26',
    format: 'cjs',
    // The text stays in memory for as long as the program runs: short, and one byte a character.
    minify: true,
    charset: 'ascii',
    legalComments: 'none',
    define: commitFacts(),
    // What esbuild does not know yet as Node's own.
    external: ['node:ffi', 'node:sea'],
    logLevel: 'warning',
  });
  // One character beyond doubles what the text takes, and regular expressions are not escaped by the bundler.
  if (!isAscii(readFileSync(outfile)))
    throw new Error(`${outfile} is not ASCII: escape what is not in regular expressions`);
  return outfile;
}

/** The pinned Node of an architecture, from its npm package. */
export function nodeOf(arch: string): string {
  const installed = join(root, 'node_modules', `node-linux-${arch}`, 'bin/node');
  if (existsSync(installed)) return installed;
  const { optionalDependencies } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
    optionalDependencies: Record<string, string>;
  };
  const wanted = `node-linux-${arch}@${optionalDependencies[`node-linux-${arch}`]}`;
  const cache = join(dist, 'cache', wanted);
  const unpacked = join(cache, 'package/bin/node');
  if (!existsSync(unpacked)) {
    mkdirSync(cache, { recursive: true });
    const archive = execFileSync('npm', ['pack', '--silent', '--pack-destination', cache, wanted], {
      encoding: 'utf8',
    });
    execFileSync('tar', ['-xzf', join(cache, archive.trim()), '-C', cache]);
  }
  return unpacked;
}

const BINUTILS: Readonly<Record<Architecture, string>> = { x64: 'x86-64-linux-gnu', arm64: 'aarch64-linux-gnu' };

/** Takes the symbols out, before the bundle goes in: afterwards it would break it. Takes Debian's binutils where none are installed. */
function strip(file: string, arch: Architecture): void {
  const triplet = BINUTILS[arch].replace('x86-64', 'x86_64');
  for (const tool of [`${triplet}-strip`, ...(arch === process.arch ? ['strip'] : [])]) {
    const { error, status } = spawnSync(tool, [file], { stdio: ['ignore', 'ignore', 'inherit'] });
    if (error === undefined && status === 0) return;
  }
  const host = process.arch === 'arm64' ? 'arm64' : 'amd64';
  const packages = [
    `binutils-${BINUTILS[arch]}`,
    'binutils-common',
    'libbinutils',
    'libctf0',
    'libctf-nobfd0',
    'libjansson4',
    'libzstd1',
    'zlib1g',
  ];
  const tree = debianTree(host, packages, join(dist, 'cache/binutils', arch));
  const libraries = ['usr/lib', 'lib'].map((folder) =>
    join(tree.root, folder, process.arch === 'arm64' ? 'aarch64-linux-gnu' : 'x86_64-linux-gnu'),
  );
  execFileSync(join(tree.root, 'usr/bin', `${triplet}-strip`), [file], {
    env: { LD_LIBRARY_PATH: libraries.join(':') },
  });
}

/** Puts the bundle into a Node of the architecture. */
export function makeExecutable(main: string, arch: Architecture, output: string): void {
  const work = join(dist, 'cache', arch);
  mkdirSync(work, { recursive: true });
  const stripped = join(work, 'node');
  copyFileSync(nodeOf(arch), stripped);
  chmodSync(stripped, 0o755);
  strip(stripped, arch);
  const config = join(work, 'sea.json');
  const made = join(work, 'keyhole');
  writeFileSync(
    config,
    JSON.stringify({
      // Below the folder it is built in: the name is kept inside, and must not tell where that was.
      main: relative(dist, main),
      output: made,
      executable: stripped,
      disableExperimentalSEAWarning: true,
      useCodeCache: arch === process.arch,
      execArgv: EXEC_ARGV,
      execArgvExtension: 'none',
    }),
  );
  // V8 takes a code cache only where its flags are those that it was made with; its seed makes two builds alike.
  execFileSync(process.execPath, [...EXEC_ARGV, '--random-seed=1', '--build-sea', config], {
    cwd: dist,
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  chmodSync(made, 0o755);
  mkdirSync(join(output, '..'), { recursive: true });
  rmSync(output, { force: true });
  copyInPieces(made, `${output}.new`);
  rmSync(made);
  // A rename, so that an executable that runs is not written into.
  renameSync(`${output}.new`, output);
}

const PIECE_BYTES = 16 << 10;

/**
 * The page cache holds a file in pieces as large as it was written in, and since Linux 6.18 maps a whole piece where one page of
 * it is touched: what is written at once takes twice the memory to run.
 */
function copyInPieces(from: string, to: string): void {
  const bytes = readFileSync(from);
  const fd = openSync(to, 'w', 0o755);
  for (let at = 0; at < bytes.length; at += PIECE_BYTES)
    writeSync(fd, bytes, at, Math.min(PIECE_BYTES, bytes.length - at), at);
  closeSync(fd);
  chmodSync(to, 0o755);
}

if (import.meta.main) {
  const { values } = parseArgs({ options: { arch: { type: 'string', default: process.arch } } });
  const { arch } = values;
  if (arch !== 'x64' && arch !== 'arm64') throw new Error(`no Keyhole for ${arch}: x64 and arm64 are there`);
  const output = arch === process.arch ? join(dist, 'keyhole') : join(dist, arch, 'keyhole');
  makeExecutable(await bundle(), arch, output);
  writeFileSync(join(dist, 'THIRD_PARTY_LICENSES'), licences(nodeOf(arch)));
  process.stdout.write(`${output}\n`);
}
