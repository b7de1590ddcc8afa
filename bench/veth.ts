// A scrape of a machine with 1,000 interfaces, real ones in a network namespace, against the newest node_exporter there.
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import process from 'node:process';
import { notRoot } from '../test/helpers/debian.ts';
import { newestPeers } from '../test/helpers/peer.ts';
import type { Claim } from './claim.ts';
import { describePair, type Pair } from './pair.ts';

const INSIDE = new URL('inside/veth.ts', import.meta.url).pathname;
const PAIRS = 500;
const ROUNDS = 5;
const SCRAPES = 10;

/** Why no namespace of our own can be had, if so. */
function lacksNamespace(): string | false {
  if (!['/sbin/ip', '/usr/sbin/ip', '/bin/ip', '/usr/bin/ip'].some((path) => existsSync(path))) return 'there is no ip';
  try {
    const script = 'mount -t sysfs sysfs /sys && ip link add left0 type veth peer name right0';
    execFileSync('unshare', ['--net', '--mount', 'sh', '-c', script], { stdio: 'pipe', encoding: 'utf8' });
    return false;
  } catch (error) {
    return `no namespace with veth: ${(error as Error).message.trim().split('\n').at(-1)}`;
  }
}

export const claims: readonly Claim[] = [
  {
    says: 'A scrape of 1,000 veth takes at most this much of the CPU time of node_exporter.',
    row: '1,000 veth in a network namespace',
    atMost: 0.04,
    async measure() {
      const lacking = notRoot() || lacksNamespace();
      if (lacking !== false) return { skipped: lacking };
      const peers = newestPeers();
      if ('lacks' in peers) return { skipped: peers.lacks };
      const given = [peers.nodeExporter, PAIRS, ROUNDS, SCRAPES].map(String);
      const text = execFileSync('unshare', ['--net', '--mount', process.execPath, INSIDE, ...given], {
        encoding: 'utf8',
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      const pair = JSON.parse(text) as Pair;
      return { ratio: pair.ratio, detail: describePair(pair, { rounds: ROUNDS, scrapes: SCRAPES }), pair };
    },
  },
];
