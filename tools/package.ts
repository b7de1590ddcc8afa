// Builds what people install: dist/keyhole_<version>_<arch>.deb, an .rpm and a tarball, for both architectures, without root.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import process from 'node:process';
import { gzipSync } from 'node:zlib';
import { type Architecture, bundle, makeExecutable, nodeOf } from './build.ts';
import { DEB_ARCHITECTURES, deb, debianChangelog } from './deb.ts';
import { tar } from './oci.ts';
import {
  byPath,
  changelogs,
  filesOf,
  managedFiles,
  manifest,
  type Package,
  type PackagedFile,
  sourceDateSeconds,
} from './package_files.ts';
import { RPM_ARCHITECTURES, RPM_RELEASE, rpm } from './rpm.ts';

const dist = new URL('../dist/', import.meta.url).pathname;

const DEB = {
  prefix: '/usr',
  zshFolder: 'share/zsh/vendor-completions',
  licence: 'share/doc/keyhole/copyright',
  preface: `Keyhole is under the Apache License 2.0, which follows. The executable contains other projects' work:
/usr/share/doc/keyhole/THIRD_PARTY_LICENSES has their copyrights and licences.

`,
};
const RPM = { prefix: '/usr', zshFolder: 'share/zsh/site-functions', licence: 'share/licenses/keyhole/LICENSE' };
const TARBALL = { prefix: '/usr/local', zshFolder: 'share/zsh/site-functions', licence: 'share/doc/keyhole/LICENSE' };

/** Unpacked below /usr/local with --strip-components=1, it is installed. */
async function tarball(executable: Buffer, node: string, name: string, timeSeconds: number): Promise<Buffer> {
  const files = byPath(filesOf(executable, node, TARBALL));
  const entries = files.map(({ path, mode, content = Buffer.alloc(0) }) => ({
    name: `${name}${path.slice(TARBALL.prefix.length)}`,
    type: 'file' as const,
    mode,
    content,
  }));
  return gzipSync(await tar(entries, new Date(timeSeconds * 1000)));
}

/** The folders that are Keyhole's alone: rpm removes only those that a package has. */
const ownFolders = (files: readonly PackagedFile[]): PackagedFile[] =>
  [...new Set(files.map(({ path }) => dirname(path)))]
    .filter((folder) => /\/keyhole(\.service\.d)?$/.test(folder))
    .map((path) => ({ path, mode: 0o755 }));

/** Writes the three packages of an architecture into `folder`; answers their paths. */
export async function packagesOf(arch: Architecture, executablePath: string, folder: string): Promise<string[]> {
  const { version } = manifest;
  const [executable, node, timeSeconds] = [readFileSync(executablePath), nodeOf(arch), sourceDateSeconds()];
  const base = { ...manifest, arch, timeSeconds };
  const debian: Package = {
    ...base,
    files: byPath([
      ...filesOf(executable, node, DEB),
      ...managedFiles('/usr'),
      ...changelogs(debianChangelog(version, timeSeconds)),
    ]),
  };
  const installed = [...filesOf(executable, node, RPM), ...managedFiles('/usr')];
  const redHat: Package = { ...base, files: byPath([...installed, ...ownFolders(installed)]) };
  const name = `keyhole-${version}-linux-${DEB_ARCHITECTURES[arch]}`;
  const made: readonly (readonly [name: string, bytes: Buffer])[] = [
    [`keyhole_${version}_${DEB_ARCHITECTURES[arch]}.deb`, await deb(debian)],
    [`keyhole-${version}-${RPM_RELEASE}.${RPM_ARCHITECTURES[arch]}.rpm`, rpm(redHat)],
    [`${name}.tar.gz`, await tarball(executable, node, name, timeSeconds)],
  ];
  mkdirSync(folder, { recursive: true });
  return made.map(([file, bytes]) => {
    writeFileSync(join(folder, file), bytes);
    return join(folder, file);
  });
}

if (import.meta.main) {
  const main = await bundle();
  for (const arch of ['x64', 'arm64'] as const) {
    const executable = join(dist, 'cache/package', arch, 'keyhole');
    makeExecutable(main, arch, executable);
    for (const path of await packagesOf(arch, executable, dist)) process.stdout.write(`${path}\n`);
  }
}
