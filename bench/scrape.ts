// A scrape with the collectors that are on by default, against the newest node_exporter in the same run.
import { newestPeers } from '../test/helpers/peer.ts';
import type { Claim } from './claim.ts';
import { comparePair, describePair } from './pair.ts';

const ROUNDS = 5;

async function measure(gapMs: number, scrapes: number) {
  const peers = newestPeers();
  if ('lacks' in peers) return { skipped: peers.lacks };
  const plan = { reference: peers.nodeExporter, args: [], rounds: ROUNDS, scrapes, warm: 100, gapMs };
  const pair = await comparePair(plan);
  return { ratio: pair.ratio, detail: describePair(pair, plan), pair };
}

export const claims: readonly Claim[] = [
  {
    says: 'A scrape every half second takes at most this much of the CPU time of node_exporter.',
    row: 'this machine, a scrape every half second',
    atMost: 0.34,
    measure: () => measure(500, 40),
  },
  {
    says: 'Scrapes one after another take at most this much of the CPU time of node_exporter.',
    row: 'this machine, one scrape after another',
    atMost: 0.22,
    measure: () => measure(0, 200),
  },
];
