import { existsSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import { debianTree } from '../../tools/debian.ts';

const ARCHITECTURES: Readonly<Record<string, string>> = { x64: 'amd64', arm64: 'arm64' };

export interface Peers {
  readonly nodeExporter: string;
  readonly prometheus: string;
  readonly promtool: string;
}

/**
 * node_exporter and Prometheus of Debian unstable, which are newer than those of this machine's own release. They are unpacked and
 * not installed. Answers the paths of the programs, or why there are none.
 */
export function newestPeers(): Peers | { readonly lacks: string } {
  const architecture = ARCHITECTURES[process.arch];
  if (!existsSync('/usr/bin/apt-get') || architecture === undefined) return { lacks: 'not a Debian machine' };
  const folder = new URL('../../dist/cache/peers/', import.meta.url).pathname;
  try {
    const { root } = debianTree(architecture, ['prometheus', 'prometheus-node-exporter', 'promtool'], folder, 'sid');
    const program = (name: string): string => join(root, 'usr/bin', name);
    return {
      nodeExporter: program('prometheus-node-exporter'),
      prometheus: program('prometheus'),
      promtool: program('promtool'),
    };
  } catch (error) {
    return { lacks: `apt-get cannot fetch packages of Debian unstable: ${(error as Error).message.split('\n')[0]}` };
  }
}
