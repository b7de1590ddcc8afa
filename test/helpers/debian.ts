import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import process from 'node:process';

const installed = (name: string): boolean => {
  try {
    const status = execFileSync('dpkg-query', ['-W', '-f', '${Status}', name], { encoding: 'utf8', stdio: 'pipe' });
    return status.includes('ok installed');
  } catch {
    return false;
  }
};

/**
 * Installs what is missing of these Debian packages. Answers why it cannot, for a test's `skip`, or `false` when all are there.
 * Services that a package would start stay off.
 */
export function lacksPackages(...names: readonly string[]): string | false {
  if (!existsSync('/usr/bin/apt-get')) return 'not a Debian machine: no apt-get';
  const missing = names.filter((name) => !installed(name));
  if (missing.length === 0) return false;
  if (process.getuid?.() !== 0) return `not root, and these packages are missing: ${missing.join(' ')}`;
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive', RUNLEVEL: '1' };
  const install = (): void => {
    execFileSync('apt-get', ['install', '-y', '-q', '--no-install-recommends', ...missing], { env, stdio: 'pipe' });
  };
  try {
    install();
  } catch {
    try {
      execFileSync('apt-get', ['update', '-q'], { env, stdio: 'pipe' });
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
