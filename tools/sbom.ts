// The bill of materials in CycloneDX: what the lock file names for the program, the Node it runs in and what is inside of that, and
// Debian's libraries.
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import process from 'node:process';
import { type Architecture, nodeOf } from './build.ts';
import type { DebianPackage } from './debian.ts';

export interface LockedPackage {
  readonly version?: string;
  readonly integrity?: string;
  readonly license?: string;
  readonly dev?: boolean;
  readonly optional?: boolean;
}

interface Component {
  readonly type: string;
  readonly 'bom-ref': string;
  readonly name: string;
  readonly version: string;
  readonly purl: string;
  readonly cpe?: string;
  readonly hashes?: readonly { readonly alg: string; readonly content: string }[];
  readonly components?: readonly (Component | ExecutableFile)[];
}

/** The Node executable of one architecture, as it is before the program is put into it. */
interface ExecutableFile {
  readonly type: 'file';
  readonly 'bom-ref': string;
  readonly name: string;
  readonly hashes: readonly { readonly alg: string; readonly content: string }[];
}

const component = (type: string, name: string, version: string, purl: string): Component => ({
  type,
  'bom-ref': purl,
  name,
  version,
  purl,
});

/**
 * What is inside of Node, by its name in `process.versions`: its own name, its address as a package, and the maker and product under
 * which the databases of vulnerabilities have it.
 */
export const INSIDE_NODE: Readonly<Record<string, readonly [name: string, purl: string, cpe?: string]>> = {
  acorn: ['acorn', 'pkg:npm/acorn', 'acornjs:acorn'],
  ada: ['ada', 'pkg:github/ada-url/ada', 'ada-url:ada'],
  amaro: ['amaro', 'pkg:npm/amaro'],
  ares: ['c-ares', 'pkg:github/c-ares/c-ares', 'c-ares:c-ares'],
  brotli: ['brotli', 'pkg:github/google/brotli', 'google:brotli'],
  icu: ['icu', 'pkg:github/unicode-org/icu', 'icu-project:international_components_for_unicode'],
  libffi: ['libffi', 'pkg:github/libffi/libffi', 'libffi_project:libffi'],
  lief: ['lief', 'pkg:github/lief-project/LIEF', 'lief-project:lief'],
  llhttp: ['llhttp', 'pkg:github/nodejs/llhttp', 'llhttp:llhttp'],
  merve: ['merve', 'pkg:github/nodejs/merve'],
  nbytes: ['nbytes', 'pkg:github/nodejs/nbytes'],
  ncrypto: ['ncrypto', 'pkg:github/nodejs/ncrypto'],
  nghttp2: ['nghttp2', 'pkg:github/nghttp2/nghttp2', 'nghttp2:nghttp2'],
  nghttp3: ['nghttp3', 'pkg:github/ngtcp2/nghttp3', 'ngtcp2:nghttp3'],
  ngtcp2: ['ngtcp2', 'pkg:github/ngtcp2/ngtcp2', 'ngtcp2:ngtcp2'],
  openssl: ['openssl', 'pkg:github/openssl/openssl', 'openssl:openssl'],
  simdjson: ['simdjson', 'pkg:github/simdjson/simdjson', 'simdjson:simdjson'],
  simdutf: ['simdutf', 'pkg:github/simdutf/simdutf'],
  sqlite: ['sqlite', 'pkg:github/sqlite/sqlite', 'sqlite:sqlite'],
  undici: ['undici', 'pkg:npm/undici', 'nodejs:undici'],
  uv: ['libuv', 'pkg:github/libuv/libuv', 'libuv:libuv'],
  uvwasi: ['uvwasi', 'pkg:github/nodejs/uvwasi'],
  v8: ['v8', 'pkg:github/v8/v8', 'google:v8'],
  zlib: ['zlib', 'pkg:generic/zlib', 'zlib:zlib'],
  zstd: ['zstd', 'pkg:github/facebook/zstd', 'facebook:zstandard'],
};

const cpeOf = (product: string, version: string): string => `cpe:2.3:a:${product}:${version}:*:*:*:*:*:*:*`;

const NODE_ARCHITECTURES: Readonly<Record<string, Architecture>> = { amd64: 'x64', arm64: 'arm64' };

function executableOf(architecture: string): ExecutableFile {
  const arch = NODE_ARCHITECTURES[architecture];
  if (arch === undefined) throw new Error(`no Node for ${architecture}`);
  const name = `node-linux-${arch}/bin/node`;
  const content = createHash('sha256')
    .update(readFileSync(nodeOf(arch)))
    .digest('hex');
  return { type: 'file', 'bom-ref': name, name, hashes: [{ alg: 'SHA-256', content }] };
}

/** The runtime, with all that is linked into it. Both architectures are built from the same sources. */
function runtime(architectures: readonly string[]): Component {
  const asked = execFileSync(nodeOf(process.arch), ['-p', 'JSON.stringify(process.versions)'], { encoding: 'utf8' });
  const { node = '', ...versions } = JSON.parse(asked) as Record<string, string>;
  const components = Object.entries(INSIDE_NODE).flatMap(([key, [name, purl, product]]) => {
    // Behind the first dash is what Node or Chromium count of their own changes.
    const version = (versions[key] ?? '').split('-')[0] as string;
    if (version === '') return [];
    const cpe = product === undefined ? {} : { cpe: cpeOf(product, version) };
    return [{ ...component('library', name, version, `${purl}@${version}`), ...cpe }];
  });
  return {
    ...component('platform', 'node', node, `pkg:generic/node@${node}`),
    cpe: cpeOf('nodejs:node.js', node),
    components: [...components, ...architectures.map(executableOf)],
  };
}

/** The digest that the lock file has, in hexadecimal. */
export const sha512Of = ({ integrity = '' }: LockedPackage): string =>
  Buffer.from(integrity.replace(/^sha512-/, ''), 'base64').toString('hex');

/** What the lock file pins, by the name of the package. */
export function lockedPackages(): readonly (LockedPackage & { readonly name: string })[] {
  const lock = JSON.parse(readFileSync(new URL('../package-lock.json', import.meta.url), 'utf8')) as {
    packages: Record<string, LockedPackage>;
  };
  const prefix = 'node_modules/';
  return Object.entries(lock.packages)
    .filter(([path]) => path !== '')
    .map(([path, entry]) => ({ ...entry, name: path.slice(path.lastIndexOf(prefix) + prefix.length) }));
}

/** Which Debian it is, by the words of its os-release. */
export interface Distribution {
  /** `debian` */
  readonly id: string;
  /** `12` */
  readonly version: string;
}

/** https://www.freedesktop.org/software/systemd/man/os-release.html */
export function distributionOf(osRelease: string): Distribution {
  const field = (name: string): string => new RegExp(`^${name}="?([^"\\n]*)"?$`, 'm').exec(osRelease)?.[1] ?? '';
  return { id: field('ID'), version: field('VERSION_ID') };
}

/** The source package, under which Debian's security tracker lists it, where that has another name. */
function upstreamOf({ control }: DebianPackage): string | undefined {
  const [, name, version] = /^Source: (\S+)(?: \((.+)\))?$/m.exec(control) ?? [];
  return name === undefined || version === undefined ? name : `${name}@${version}`;
}

/** The qualifiers by which scanners choose the feed of the distribution. https://github.com/package-url/purl-spec */
export function debianPurl(each: DebianPackage, architecture: string, distribution?: Distribution): string {
  const upstream = upstreamOf(each);
  const qualifiers = [
    `arch=${architecture}`,
    ...(distribution === undefined ? [] : [`distro=${distribution.id}-${distribution.version}`]),
    ...(upstream === undefined ? [] : [`upstream=${encodeURIComponent(upstream)}`]),
  ];
  return `pkg:deb/debian/${encodeURIComponent(each.name)}@${encodeURIComponent(each.version)}?${qualifiers.join('&')}`;
}

export interface PlatformPackages {
  readonly architecture: string;
  readonly packages: readonly DebianPackage[];
}

/** A UUID (version 8) that follows from the content. */
function serialNumberOf(content: string): string {
  const digits = createHash('sha256').update(content).digest('hex');
  const variant = '89ab'[Number.parseInt(digits[16] as string, 16) % 4];
  const parts = [
    digits.slice(0, 8),
    digits.slice(8, 12),
    `8${digits.slice(13, 16)}`,
    `${variant}${digits.slice(17, 20)}`,
  ];
  return `urn:uuid:${[...parts, digits.slice(20, 32)].join('-')}`;
}

export interface BillOf {
  readonly version: string;
  readonly distribution: Distribution;
  readonly platforms: readonly PlatformPackages[];
  /** Seconds since 1970: of the commit. */
  readonly timeSeconds: number;
}

/** The text of the bill; the same inputs give the same bytes. https://cyclonedx.org/docs/1.6/json/ */
export function bill({ version, distribution, platforms, timeSeconds }: BillOf): string {
  const node = runtime(platforms.map(({ architecture }) => architecture));
  const npm = lockedPackages()
    .filter(({ dev }) => dev !== true)
    .map((entry) => {
      const { name, version: number = '', optional, license } = entry;
      return {
        ...component(optional === true ? 'platform' : 'library', name, number, `pkg:npm/${name}@${number}`),
        hashes: [{ alg: 'SHA-512', content: sha512Of(entry) }],
        ...(license === undefined ? {} : { licenses: [{ license: { name: license } }] }),
      };
    });
  const debian = platforms.flatMap(({ architecture, packages }) =>
    packages.map((each) => ({
      ...component('library', each.name, each.version, debianPurl(each, architecture, distribution)),
      hashes: [{ alg: 'SHA-256', content: each.sha256 }],
    })),
  );
  const system = {
    type: 'operating-system',
    'bom-ref': `${distribution.id}-${distribution.version}`,
    name: distribution.id,
    version: distribution.version,
  };
  const program = component('application', 'keyhole', version, `pkg:generic/keyhole@${version}`);
  const references = (parts: readonly { readonly 'bom-ref': string }[]): string[] =>
    parts.map((each) => each['bom-ref']);
  const content = {
    metadata: {
      timestamp: new Date(timeSeconds * 1000).toISOString(),
      tools: { components: [{ type: 'application', name: 'keyhole-tools-sbom', version }] },
      component: program,
    },
    components: [...npm, node, system, ...debian],
    dependencies: [
      { ref: program['bom-ref'], dependsOn: references([...npm, node, ...debian]) },
      { ref: node['bom-ref'], dependsOn: references(node.components ?? []) },
    ],
  };
  const serialNumber = serialNumberOf(JSON.stringify(content));
  return `${JSON.stringify({ bomFormat: 'CycloneDX', specVersion: '1.6', serialNumber, version: 1, ...content }, null, 2)}\n`;
}
