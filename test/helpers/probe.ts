import { defineCollector, type Host, type Needs } from '../../src/core/collector.ts';
import type { Candidate } from '../../src/privilege/acquire.ts';

/** A collector that only declares what it reads and needs. */
export const probe = (reads: readonly string[], needs: Needs = {}): Candidate => ({
  collector: defineCollector({
    name: 'probe',
    help: 'A probe.',
    enabled: true,
    reads,
    flags: {},
    metrics: {},
    needs: () => needs,
    setup: () => () => {},
  }),
  host: {} as Host,
});
