// Debian's package format: an ar archive of a version, the control files and the data. deb(5), deb-control(5)
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { constants, gzipSync, zstdCompressSync } from 'node:zlib';
import { type TarEntry, tar } from './oci.ts';
import { DESCRIPTION, type Package, type PackagedFile, SUMMARY } from './package_files.ts';

const scripts = new URL('../deploy/packages/deb/', import.meta.url);
/** Names of the scripts that dpkg runs. */
const SCRIPTS = ['postinst', 'prerm', 'postrm'];

/** A level that takes seconds; the highest ones take minutes for two percent. */
export const ZSTD_LEVEL = 12;
export const zstd = (bytes: Buffer): Buffer =>
  zstdCompressSync(bytes, { params: { [constants.ZSTD_c_compressionLevel]: ZSTD_LEVEL } });

export const DEB_ARCHITECTURES = { x64: 'amd64', arm64: 'arm64' } as const;

const MAINTAINER = 'The Keyhole project <keyhole@localhost>';

/** What the executable is linked with, as old as it may be; `setcap` comes with libcap2-bin. */
const DEPENDS = 'libc6 (>= 2.28), libstdc++6 (>= 7), libgcc-s1, libatomic1, passwd, init-system-helpers (>= 1.54)';

/** Every folder above the files, from the root on. */
function foldersOf(files: readonly PackagedFile[]): string[] {
  const folders = new Set<string>();
  for (const { path } of files)
    for (let folder = dirname(path); folder !== '/'; folder = dirname(folder)) folders.add(folder);
  return [...folders].sort();
}

/** dpkg-deb begins each archive with it. */
const TOP: TarEntry = { name: './', type: 'directory', mode: 0o755 };

function dataEntries(files: readonly PackagedFile[]): TarEntry[] {
  const folders = foldersOf(files).map((path): TarEntry => ({ name: `.${path}/`, type: 'directory', mode: 0o755 }));
  return [
    TOP,
    ...folders,
    ...files.map(
      ({ path, mode, content }): TarEntry =>
        content === undefined
          ? { name: `.${path}/`, type: 'directory', mode }
          : { name: `.${path}`, type: 'file', mode, content },
    ),
  ];
}

function controlEntries({ version, arch, files }: Package): TarEntry[] {
  const sizeBytes = files.reduce((sum, { content }) => sum + (content?.length ?? 0), 0);
  const control = `Package: keyhole
Version: ${version}
Architecture: ${DEB_ARCHITECTURES[arch]}
Maintainer: ${MAINTAINER}
Installed-Size: ${Math.ceil(sizeBytes / 1024)}
Depends: ${DEPENDS}
Recommends: libcap2-bin
Section: net
Priority: optional
Description: ${SUMMARY}
${DESCRIPTION.split('\n')
  .map((line) => ` ${line}`)
  .join('\n')}
`;
  const sums = files.flatMap(({ path, content }) =>
    content === undefined ? [] : [`${createHash('md5').update(content).digest('hex')}  ${path.slice(1)}\n`],
  );
  const conffiles = files.filter(({ isConfig }) => isConfig === true).map(({ path }) => `${path}\n`);
  const text = (name: string, content: string | Buffer, mode = 0o644): TarEntry => ({
    name: `./${name}`,
    type: 'file',
    mode,
    content: Buffer.from(content),
  });
  return [
    TOP,
    text('control', control),
    text('md5sums', sums.join('')),
    text('conffiles', conffiles.join('')),
    ...SCRIPTS.map((name) => text(name, readFileSync(new URL(name, scripts)), 0o755)),
  ];
}

/** The package's own changelog. deb-changelog(5) */
export function debianChangelog(version: string, timeSeconds: number): string {
  const date = new Date(timeSeconds * 1000).toUTCString().replace('GMT', '+0000');
  return `keyhole (${version}) unstable; urgency=medium\n\n  * changelog.gz in this folder lists what is new.\n\n -- ${MAINTAINER}  ${date}\n`;
}

/** One member of an ar archive. ar(5) */
function member(name: string, content: Buffer, timeSeconds: number): Buffer {
  const fields = [
    name.padEnd(16),
    String(timeSeconds).padEnd(12),
    '0     ',
    '0     ',
    '100644  ',
    String(content.length).padEnd(10),
  ];
  return Buffer.concat([Buffer.from(`${fields.join('')}\`\n`), content, Buffer.alloc(content.length % 2, '\n')]);
}

/** The bytes of a .deb; dpkg of Debian 12 and Ubuntu 22.04 reads its compression. */
export async function deb(each: Package): Promise<Buffer> {
  const { files, timeSeconds } = each;
  const time = new Date(timeSeconds * 1000);
  const control = await tar(controlEntries(each), time);
  const data = await tar(dataEntries(files), time);
  return Buffer.concat([
    Buffer.from('!<arch>\n'),
    member('debian-binary', Buffer.from('2.0\n'), timeSeconds),
    member('control.tar.gz', gzipSync(control, { level: 9 }), timeSeconds),
    member('data.tar.zst', zstd(data), timeSeconds),
  ]);
}
