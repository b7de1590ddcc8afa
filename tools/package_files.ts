// What a package installs, and where: the same for .deb, .rpm and the tarball but for some folders.
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import process from 'node:process';
import { gzipSync } from 'node:zlib';
import { declare } from '../src/cli/command_line.ts';
import { completionScript } from '../src/cli/completion.ts';
import { manPage } from '../src/cli/help.ts';
import { collectors } from '../src/collectors/index.ts';
import { type Architecture, git } from './build.ts';
import { licences } from './licences.ts';

const root = new URL('../', import.meta.url).pathname;
const deployed = (path: string): Buffer => readFileSync(join(root, 'deploy', path));

export interface PackagedFile {
  /** Absolute. */
  readonly path: string;
  readonly mode: number;
  /** A folder has none. */
  readonly content?: Buffer;
  /** What its owner has changed is kept when the package is upgraded. */
  readonly isConfig?: boolean;
}

export interface Manifest {
  readonly version: string;
  readonly description: string;
}

/** One package of one architecture. */
export interface Package extends Manifest {
  readonly arch: Architecture;
  readonly files: readonly PackagedFile[];
  /** Seconds since 1970, of every file: those of the commit. */
  readonly timeSeconds: number;
}

export const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as Manifest;

export const SUMMARY = 'Prometheus exporter of hardware and kernel metrics';
export const DESCRIPTION = `Keyhole serves a Linux machine's hardware and kernel metrics to Prometheus, under the names of
node_exporter, and performance counters (cycles, instructions, cache misses) without root.`;

/** When the commit was made, so that every build of it gives the same bytes. https://reproducible-builds.org/specs/source-date-epoch/ */
export function sourceDateSeconds(): number {
  const given = process.env['SOURCE_DATE_EPOCH'];
  return Number(given ?? git('log', '-1', '--format=%ct'));
}

const { flags } = declare(collectors);
/** The folders in which .deb and .rpm differ, and what stands for /usr. */
export interface Layout {
  readonly prefix: string;
  readonly zshFolder: string;
  /** The licence's own path: each packaging looks for it under another. */
  readonly licence: string;
  /** What stands before the licence there. */
  readonly preface?: string;
}

const file = (path: string, content: string | Buffer, mode = 0o644): PackagedFile => ({
  path,
  mode,
  content: Buffer.from(content),
});

/** `executable` is the one of the package's architecture. */
export function filesOf(
  executable: Buffer,
  node: string,
  { prefix, zshFolder, licence, preface = '' }: Layout,
): PackagedFile[] {
  const units = `${prefix}/lib/systemd/system`;
  const service = deployed('systemd/keyhole.service').toString().replace('/usr/local/bin/', `${prefix}/bin/`);
  return [
    file(`${prefix}/bin/keyhole`, executable, 0o755),
    file(`${units}/keyhole.service`, service),
    file(`${units}/keyhole.socket`, deployed('systemd/keyhole.socket')),
    file(`${prefix}/share/doc/keyhole/socket-only.conf`, deployed('systemd/socket-only.conf')),
    file(`${prefix}/share/man/man1/keyhole.1.gz`, gzipSync(manPage('keyhole', flags), { level: 9 })),
    file(`${prefix}/share/bash-completion/completions/keyhole`, completionScript('keyhole', 'bash')),
    file(`${prefix}/share/fish/vendor_completions.d/keyhole.fish`, completionScript('keyhole', 'fish')),
    file(`${prefix}/${zshFolder}/_keyhole`, completionScript('keyhole', 'zsh')),
    file(`${prefix}/${licence}`, `${preface}${readFileSync(join(root, 'LICENSE'), 'utf8')}`),
    file(`${prefix}/${dirname(licence)}/THIRD_PARTY_LICENSES`, licences(node)),
  ];
}

/** The changelogs of a .deb, each under the name that Debian has for it; `debian` is its own. */
export const changelogs = (debian: string): PackagedFile[] => [
  file('/usr/share/doc/keyhole/changelog.Debian.gz', gzipSync(debian, { level: 9 })),
  file('/usr/share/doc/keyhole/changelog.gz', gzipSync(readFileSync(join(root, 'CHANGELOG.md')), { level: 9 })),
];

/** What a package that a package manager installs has besides: its configuration, and the folder of text files that Debian has. */
export const managedFiles = (prefix: string): PackagedFile[] => [
  file(`${prefix}/lib/systemd/system/keyhole.service.d/packaged-user.conf`, deployed('systemd/packaged-user.conf')),
  { ...file('/etc/default/keyhole', deployed('packages/keyhole.default')), isConfig: true },
  { path: '/var/lib/prometheus/node-exporter', mode: 0o755 },
];

export const byPath = (files: readonly PackagedFile[]): PackagedFile[] =>
  files.toSorted((a, b) => (a.path < b.path ? -1 : 1));
