import { existsSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import { debianTree } from '../../tools/debian.ts';

const ARCHITECTURES: Readonly<Record<string, string>> = { x64: 'amd64', arm64: 'arm64' };

/**
 * The Prometheus of Debian unstable, which is newer than the one of this machine's own release. It is unpacked and not
 * installed. Answers the paths of its programs, or why there are none.
 */
export function newestPrometheus():
  | { readonly prometheus: string; readonly promtool: string }
  | { readonly lacks: string } {
  const architecture = ARCHITECTURES[process.arch];
  if (!existsSync('/usr/bin/apt-get') || architecture === undefined) return { lacks: 'not a Debian machine' };
  const folder = new URL('../../dist/cache/prometheus/', import.meta.url).pathname;
  try {
    const { root } = debianTree(architecture, ['prometheus', 'promtool'], folder, 'sid');
    return { prometheus: join(root, 'usr/bin/prometheus'), promtool: join(root, 'usr/bin/promtool') };
  } catch (error) {
    return { lacks: `apt-get cannot fetch Prometheus of Debian unstable: ${(error as Error).message.split('\n')[0]}` };
  }
}
