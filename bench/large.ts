// A scrape of a large machine, made up of files, against the newest node_exporter in the same run.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { newestPeers } from '../test/helpers/peer.ts';
import type { Claim } from './claim.ts';
import { LargeMachine } from './large_machine.ts';
import { comparePair, describePair } from './pair.ts';

const SIZE = { cpus: 512, disks: 200, interfaces: 2000 };

export const claims: readonly Claim[] = [
  {
    says: 'A scrape of 512 CPUs, 200 disks and 2,000 interfaces takes at most this much of the CPU time of node_exporter.',
    row: '512 CPUs, 200 disks, 2,000 interfaces, from files',
    atMost: 0.2,
    async measure() {
      const peers = newestPeers();
      if ('lacks' in peers) return { skipped: peers.lacks };
      const folder = mkdtempSync(join(tmpdir(), 'keyhole-large-'));
      try {
        const machine = new LargeMachine(folder, SIZE);
        const plan = {
          reference: peers.nodeExporter,
          args: machine.args,
          rounds: 5,
          scrapes: 10,
          warm: 20,
          gapMs: 0,
          tick: () => machine.tick(),
        };
        const pair = await comparePair(plan);
        return { ratio: pair.ratio, detail: describePair(pair, plan), pair };
      } finally {
        rmSync(folder, { recursive: true, force: true });
      }
    },
  },
];
