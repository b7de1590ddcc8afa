// What a release was made of and by what: checksums of its files in dist/SHA256SUMS, and a statement in the form of SLSA's provenance.
// https://slsa.dev/spec/v1.0/provenance, https://github.com/in-toto/attestation/blob/main/spec/v1/statement.md
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import { git, revision } from './build.ts';
import type { DebianPackage } from './debian.ts';
import { manifest } from './package_files.ts';
import { debianPurl, lockedPackages, sha512Of } from './sbom.ts';

const root = new URL('../', import.meta.url).pathname;

const sha256 = (path: string): string => createHash('sha256').update(readFileSync(path)).digest('hex');

interface Resource {
  readonly name?: string;
  readonly uri?: string;
  readonly digest: Readonly<Record<string, string>>;
}

/** The files of this version that are to be published, in the order of their names. */
export const releaseFiles = (dist: string, version: string): string[] =>
  readdirSync(dist)
    .filter((name) => /^keyhole[-_]/.test(name) && name.includes(version) && !name.endsWith('.provenance.json'))
    .sort();

/** Debian's packages that the image holds, as they were fetched. */
function debianResources(dist: string): Resource[] {
  return ['amd64', 'arm64'].flatMap((architecture) => {
    const list = join(dist, 'cache/debian', architecture, 'packages.json');
    if (!existsSync(list)) return [];
    const packages = JSON.parse(readFileSync(list, 'utf8')) as DebianPackage[];
    return packages.map((each) => ({ uri: debianPurl(each, architecture), digest: { sha256: each.sha256 } }));
  });
}

function resources(dist: string): Resource[] {
  const commit: Resource = {
    name: 'sources',
    digest: { gitCommit: revision(), gitTree: git('rev-parse', 'HEAD^{tree}') || 'unknown' },
  };
  const lock: Resource = { name: 'package-lock.json', digest: { sha256: sha256(join(root, 'package-lock.json')) } };
  const npm = lockedPackages().map((each) => ({
    uri: `pkg:npm/${each.name}@${each.version}`,
    digest: { sha512: sha512Of(each) },
  }));
  return [commit, lock, ...npm, ...debianResources(dist)];
}

/** The statement about the files of a release; the same commit and files give the same bytes. */
export const provenance = (dist: string, files: readonly string[]): string =>
  `${JSON.stringify(
    {
      _type: 'https://in-toto.io/Statement/v1',
      subject: files.map((name) => ({ name, digest: { sha256: sha256(join(dist, name)) } })),
      predicateType: 'https://slsa.dev/provenance/v1',
      predicate: {
        buildDefinition: {
          buildType: 'urn:keyhole:release:v1',
          externalParameters: {
            version: manifest.version,
            commands: ['npm ci', 'npm run release'],
            changedSinceCommit: git('status', '--porcelain') !== '',
          },
          resolvedDependencies: resources(dist),
        },
        runDetails: {
          builder: { id: 'urn:keyhole:builder:any', version: { node: process.versions.node } },
        },
      },
    },
    null,
    2,
  )}\n`;

/** As sha256sum writes and checks them. */
export const checksums = (dist: string, files: readonly string[]): string =>
  files.map((name) => `${sha256(join(dist, name))}  ${name}\n`).join('');

if (import.meta.main) {
  const dist = join(root, 'dist');
  const files = releaseFiles(dist, manifest.version);
  if (files.length === 0) throw new Error('nothing to release: npm run package, npm run image');
  const statement = `keyhole-${manifest.version}.provenance.json`;
  writeFileSync(join(dist, statement), provenance(dist, files));
  writeFileSync(join(dist, 'SHA256SUMS'), checksums(dist, [...files, statement]));
  process.stdout.write(`${[...files, statement, 'SHA256SUMS'].map((name) => join('dist', name)).join('\n')}\n`);
}
