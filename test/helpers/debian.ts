import { execFileSync } from 'node:child_process';
import { existsSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import { debianTree } from '../../tools/debian.ts';

const installed = (name: string): boolean => {
  try {
    const status = execFileSync('dpkg-query', ['-W', '-f', '${Status}', name], { encoding: 'utf8', stdio: 'pipe' });
    return status.includes('ok installed');
  } catch {
    return false;
  }
};

/** Debian's own way to keep a package from starting its service; a file that is there already says it itself. */
const POLICY = '/usr/sbin/policy-rc.d';

function withoutServices(install: () => void): void {
  const isOurs = !existsSync(POLICY);
  if (isOurs) writeFileSync(POLICY, '#!/bin/sh\nexit 101\n', { mode: 0o755 });
  try {
    install();
  } finally {
    if (isOurs) rmSync(POLICY, { force: true });
  }
}

/**
 * Installs what is missing of these Debian packages. Answers why it cannot, for a test's `skip`, or `false` when all are there.
 * Services that a package would start stay off.
 */
export function lacksPackages(...names: readonly string[]): string | false {
  if (!existsSync('/usr/bin/apt-get')) return 'not a Debian machine: no apt-get';
  const missing = names.filter((name) => !installed(name));
  if (missing.length === 0) return false;
  if (process.getuid?.() !== 0) return `not root, and these packages are missing: ${missing.join(' ')}`;
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  const apt = (...args: string[]): void => {
    execFileSync('apt-get', ['-q', '-o', 'DPkg::Lock::Timeout=300', ...args], { env, stdio: 'pipe' });
  };
  const install = (): void => withoutServices(() => apt('install', '-y', '--no-install-recommends', ...missing));
  try {
    install();
  } catch {
    try {
      apt('update');
      install();
    } catch (error) {
      return `apt-get cannot install ${missing.join(' ')}: ${(error as Error).message.split('\n')[0]}`;
    }
  }
  return false;
}

/** Says loudly, in the test run's own output, that something was not tested and why. */
export function loudly(reason: string | false): string | false {
  if (reason !== false) process.stderr.write(`\nSKIPPED: ${reason}\n`);
  return reason;
}

export const notRoot = (): string | false => (process.getuid?.() === 0 ? false : 'needs root');

const ARCHITECTURES: Readonly<Record<string, string>> = { x64: 'amd64', arm64: 'arm64' };

/**
 * The node_exporter of Debian unstable, which is newer than the one of this machine's own release. It is unpacked and not
 * installed. Answers its path, or why there is none.
 */
export function newestReference(): { readonly path: string } | { readonly lacks: string } {
  const architecture = ARCHITECTURES[process.arch];
  if (!existsSync('/usr/bin/apt-get') || architecture === undefined) return { lacks: 'not a Debian machine' };
  const folder = new URL('../../dist/cache/reference/', import.meta.url).pathname;
  try {
    const { root } = debianTree(architecture, ['prometheus-node-exporter'], folder, 'sid');
    return { path: join(root, 'usr/bin/prometheus-node-exporter') };
  } catch (error) {
    return {
      lacks: `apt-get cannot fetch node_exporter of Debian unstable: ${(error as Error).message.split('\n')[0]}`,
    };
  }
}
