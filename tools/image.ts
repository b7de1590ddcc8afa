// Builds the container image for both architectures, without root and without a daemon: dist/keyhole-<version>.oci.tar,
// and its bill of materials beside it.
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import { type Architecture, bundle, makeExecutable, nodeOf, revision } from './build.ts';
import { type DebianTree, debianTree } from './debian.ts';
import { licences } from './licences.ts';
import { addLayer, createLayout, type Descriptor, type Layout, readEntry, type TarEntry, tar } from './oci.ts';
import { sourceDateSeconds } from './package_files.ts';
import { bill, distributionOf } from './sbom.ts';

const root = new URL('../', import.meta.url).pathname;
const dist = join(root, 'dist');

interface Platform {
  /** Node's name, Debian's and OCI's name, and the folder of its libraries. */
  readonly arch: Architecture;
  readonly debian: string;
  readonly triplet: string;
  readonly loader: string;
}

const PLATFORMS: readonly Platform[] = [
  { arch: 'x64', debian: 'amd64', triplet: 'x86_64-linux-gnu', loader: 'lib64/ld-linux-x86-64.so.2' },
  { arch: 'arm64', debian: 'arm64', triplet: 'aarch64-linux-gnu', loader: 'lib/ld-linux-aarch64.so.1' },
];

/** The libraries' packages, the one that holds the licence of three of them, and the one that says which Debian it is. */
const PACKAGES = ['base-files', 'libc6', 'libstdc++6', 'libgcc-s1', 'libatomic1', 'gcc-12-base', 'ca-certificates'];

/** What Node is linked against, and what resolves names. */
const LIBRARIES = [
  'libc.so.6',
  'libm.so.6',
  'libdl.so.2',
  'libpthread.so.0',
  'libresolv.so.2',
  'libnss_files.so.2',
  'libnss_dns.so.2',
  'libstdc++.so.6',
  'libgcc_s.so.1',
  'libatomic.so.1',
];

/** `cap_perfmon=p`: permitted only, so that the file starts whether or not the container is granted it. struct vfs_cap_data, version 2. */
const FILE_CAPABILITY = Buffer.from('0000000200000000000000004000000000000000', 'hex').toString('latin1');
const CAPABILITY_RECORD = 'SCHILY.xattr.security.capability';

const directory = (name: string): TarEntry => ({ name: `${name}/`, type: 'directory', mode: 0o755 });
const textFile = (name: string, text: string): TarEntry => ({
  name,
  type: 'file',
  mode: 0o644,
  content: Buffer.from(text),
});

function libraryPath(tree: DebianTree, triplet: string, name: string): string {
  for (const folder of [`lib/${triplet}`, `usr/lib/${triplet}`]) {
    const path = join(tree.root, folder, name);
    try {
      readFileSync(path);
      return path;
    } catch {
      // In the other folder, then.
    }
  }
  throw new Error(`no package has ${name}`);
}

/** Every authority that Debian trusts, in one file as its own tool would write it. */
function certificates(tree: DebianTree): string {
  const folder = join(tree.root, 'usr/share/ca-certificates/mozilla');
  return readdirSync(folder)
    .sort()
    .map((name) => readFileSync(join(folder, name), 'utf8').trimEnd())
    .join('\n')
    .concat('\n');
}

/** What scanners read to know the libraries: each package with its version, as dpkg keeps them. */
const dpkgStatus = ({ packages }: DebianTree): string =>
  packages
    .map(({ control }) => control.trimEnd().replace(/^Package: .*$/m, '$&\nStatus: install ok installed'))
    .join('\n\n')
    .concat('\n');

function baseEntries(tree: DebianTree, { triplet, loader }: Platform): TarEntry[] {
  const loaderName = loader.slice(loader.lastIndexOf('/') + 1);
  return [
    ...[
      'etc',
      'etc/ssl',
      'etc/ssl/certs',
      'lib',
      `lib/${triplet}`,
      'proc',
      'sys',
      'usr',
      'usr/share',
      'usr/share/doc',
      'var',
      'var/lib',
      'var/lib/dpkg',
    ].map(directory),
    ...(loader.startsWith('lib64/') ? [directory('lib64')] : []),
    textFile('etc/passwd', 'root:x:0:0:root:/:/sbin/nologin\nnobody:x:65534:65534:nobody:/nonexistent:/sbin/nologin\n'),
    textFile('etc/group', 'root:x:0:\nnogroup:x:65534:\n'),
    textFile('etc/nsswitch.conf', 'hosts: files dns\n'),
    readEntry('etc/os-release', 0o644, join(tree.root, 'usr/lib/os-release')),
    textFile('var/lib/dpkg/status', dpkgStatus(tree)),
    textFile('etc/ssl/certs/ca-certificates.crt', certificates(tree)),
    ...LIBRARIES.map((name) => readEntry(`lib/${triplet}/${name}`, 0o644, libraryPath(tree, triplet, name))),
    readEntry(loader, 0o755, libraryPath(tree, triplet, loaderName)),
    ...PACKAGES.map((name) => directory(`usr/share/doc/${name}`)),
    ...PACKAGES.map((name) =>
      readEntry(`usr/share/doc/${name}/copyright`, 0o644, join(tree.root, `usr/share/doc/${name}/copyright`)),
    ),
  ];
}

const programEntries = (executable: string): TarEntry[] => [
  directory('usr/share/doc/keyhole'),
  readEntry('usr/share/doc/keyhole/LICENSE', 0o644, join(root, 'LICENSE')),
  textFile('usr/share/doc/keyhole/THIRD_PARTY_LICENSES', licences(nodeOf(process.arch))),
  directory('bin'),
  { ...readEntry('bin/keyhole', 0o755, executable), pax: { [CAPABILITY_RECORD]: FILE_CAPABILITY } },
  // A hard link would lose the capability for both: runtimes chown each entry, and that clears it from the file.
  { name: 'bin/node_exporter', type: 'symlink', mode: 0o777, linkname: 'keyhole' },
];

/** An image whose executable has lost its capability would start and count nothing: better no image. */
function assertCapability(layer: Buffer): void {
  if (!layer.includes(`${CAPABILITY_RECORD}=${FILE_CAPABILITY}\n`, 0, 'latin1'))
    throw new Error('the layer has no file capability');
}

interface Labels {
  readonly version: string;
  readonly description: string;
}

const labelsOf = ({ version, description }: Labels): Record<string, string> => ({
  'org.opencontainers.image.title': 'keyhole',
  'org.opencontainers.image.description': description,
  'org.opencontainers.image.version': version,
  'org.opencontainers.image.revision': revision(),
  'org.opencontainers.image.licenses': 'Apache-2.0',
});

async function addPlatform(layout: Layout, platform: Platform, main: string, labels: Labels) {
  const tree = debianTree(platform.debian, PACKAGES, join(dist, 'cache/debian', platform.debian));
  const executable = join(dist, 'cache/image', platform.arch, 'keyhole');
  makeExecutable(main, platform.arch, executable);
  const program = await tar(programEntries(executable));
  assertCapability(program);
  const layers = [addLayer(layout, await tar(baseEntries(tree, platform))), addLayer(layout, program)];
  const config = layout.addJson('application/vnd.oci.image.config.v1+json', {
    created: '1970-01-01T00:00:00Z',
    architecture: platform.debian,
    os: 'linux',
    config: {
      User: '65534:65534',
      ExposedPorts: { '9100/tcp': {} },
      Env: ['PATH=/bin'],
      Entrypoint: ['/bin/keyhole'],
      WorkingDir: '/',
      Labels: labelsOf(labels),
    },
    rootfs: { type: 'layers', diff_ids: layers.map(({ diffId }) => diffId) },
    history: [{ created_by: 'Debian libraries' }, { created_by: 'keyhole' }],
  });
  const manifest = layout.addJson('application/vnd.oci.image.manifest.v1+json', {
    schemaVersion: 2,
    mediaType: 'application/vnd.oci.image.manifest.v1+json',
    config,
    layers: layers.map(({ descriptor }) => descriptor),
    annotations: labelsOf(labels),
  });
  const sizeBytes = layers.reduce((sum, { descriptor }) => sum + descriptor.size, 0);
  return { manifest: { ...manifest, platform: { architecture: platform.debian, os: 'linux' } }, tree, sizeBytes };
}

const SIZE_MAX_BYTES = 45e6;

/** Both tags that the community chart asks for name the same image. */
const named = (descriptor: Descriptor, version: string): unknown[] =>
  [version, `${version}-distroless`].map((tag) => ({
    ...descriptor,
    annotations: {
      'io.containerd.image.name': `docker.io/library/keyhole:${tag}`,
      'org.opencontainers.image.ref.name': tag,
    },
  }));

const { version, description } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as Labels;
const layout = createLayout();
const main = await bundle();
const built = [];
for (const platform of PLATFORMS)
  built.push({ platform, ...(await addPlatform(layout, platform, main, { version, description })) });
const index = layout.addJson('application/vnd.oci.image.index.v1+json', {
  schemaVersion: 2,
  mediaType: 'application/vnd.oci.image.index.v1+json',
  manifests: built.map(({ manifest }) => manifest),
});
const output = join(dist, `keyhole-${version}.oci.tar`);
writeFileSync(output, await layout.archive(named(index, version)));
const [first] = built;
if (first === undefined) throw new Error('no platform');
writeFileSync(
  join(dist, `keyhole-${version}.cdx.json`),
  bill({
    version,
    distribution: distributionOf(readFileSync(join(first.tree.root, 'usr/lib/os-release'), 'utf8')),
    platforms: built.map(({ platform, tree }) => ({ architecture: platform.debian, packages: tree.packages })),
    timeSeconds: sourceDateSeconds(),
  }),
);
for (const { platform, sizeBytes } of built) {
  process.stdout.write(`linux/${platform.debian}: ${(sizeBytes / 1e6).toFixed(1)} MB compressed\n`);
  if (sizeBytes > SIZE_MAX_BYTES) throw new Error(`linux/${platform.debian} is larger than ${SIZE_MAX_BYTES / 1e6} MB`);
}
process.stdout.write(`${output}\n${index.digest}\n`);
