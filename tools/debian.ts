// Debian packages of any architecture, without root: fetched with apt into a folder of their own, unpacked with dpkg.
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

export interface DebianPackage {
  readonly name: string;
  readonly version: string;
}

export interface DebianTree {
  /** Where the packages are unpacked. */
  readonly root: string;
  readonly packages: readonly DebianPackage[];
}

/** apt's own state and cache inside `folder`, so that the machine's stay as they are. */
function aptOptions(architecture: string, folder: string): string[] {
  const settings = {
    'APT::Architecture': architecture,
    'APT::Architectures': architecture,
    'APT::Sandbox::User': '',
    'Debug::NoLocking': '1',
    'Dir::State': join(folder, 'state'),
    'Dir::State::status': '/dev/null',
    'Dir::Cache': join(folder, 'cache'),
  };
  return Object.entries(settings).flatMap(([key, value]) => ['-o', `${key}=${value}`]);
}

const KEYRING = '/usr/share/keyrings/debian-archive-keyring.gpg';

/** Options that make apt take packages of another suite than this machine's, from the same mirror. */
function suiteOptions(suite: string, folder: string): string[] {
  const format = ['--format', '$(SITE) $(REPO_URI)', 'Created-By: Packages'];
  const targets = execFileSync('apt-get', ['indextargets', ...format], { encoding: 'utf8' });
  const mirror = targets.split(/\s/).find((uri) => /\/debian\/?$/.test(uri));
  if (mirror === undefined) throw new Error('apt has no mirror of Debian');
  const list = join(folder, 'sources.list');
  writeFileSync(list, `deb [signed-by=${KEYRING}] ${mirror} ${suite} main\n`);
  return ['-o', `Dir::Etc::SourceList=${list}`, '-o', 'Dir::Etc::SourceParts=/nonexistent'];
}

/**
 * Fetches and unpacks packages, as this machine's sources have them, or as `suite` has them. `architecture` is Debian's name:
 * amd64, arm64.
 */
export function debianTree(architecture: string, names: readonly string[], folder: string, suite?: string): DebianTree {
  const root = join(folder, 'root');
  const list = join(folder, 'packages.json');
  const known = existsSync(list) ? (JSON.parse(readFileSync(list, 'utf8')) as DebianPackage[]) : [];
  if (names.every((wanted) => known.some(({ name }) => name === wanted))) return { root, packages: known };
  rmSync(folder, { recursive: true, force: true });
  const archives = join(folder, 'archives');
  for (const each of [archives, join(folder, 'state/lists/partial'), join(folder, 'cache/archives/partial')])
    mkdirSync(each, { recursive: true });
  const options = [...aptOptions(architecture, folder), ...(suite === undefined ? [] : suiteOptions(suite, folder))];
  const apt = (...args: string[]): void => {
    execFileSync('apt-get', [...options, '-q', ...args], { cwd: archives, stdio: 'pipe' });
  };
  apt('update');
  apt('download', ...names);
  const packages = readdirSync(archives)
    .sort()
    .map((archive) => {
      const file = join(archives, archive);
      execFileSync('dpkg-deb', ['-x', file, root]);
      const field = (name: string): string => execFileSync('dpkg-deb', ['-f', file, name], { encoding: 'utf8' }).trim();
      return { name: field('Package'), version: field('Version') };
    });
  writeFileSync(list, JSON.stringify(packages));
  return { root, packages };
}
