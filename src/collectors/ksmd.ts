import { nothing } from '../core/absent.ts';
import { defineCollector } from '../core/collector.ts';
import type { DeviceLayout } from '../core/host.ts';
import { counter, gauge } from '../core/metric.ts';
import { MS_OF_SECOND } from '../core/units.ts';

export default defineCollector({
  name: 'ksmd',
  help: 'Exposes the state of kernel same-page merging.',
  enabled: false,
  reads: ['/sys/kernel/mm/ksm/*'],
  flags: {},
  /** By file. https://docs.kernel.org/admin-guide/mm/ksm.html */
  metrics: {
    full_scans: counter('node_ksmd_full_scans_total', 'Times that all mergeable areas were scanned.'),
    general_profit: gauge(
      'node_ksmd_general_profit_bytes',
      'Memory saved by merging, less what its bookkeeping takes.',
    ),
    merge_across_nodes: gauge('node_ksmd_merge_across_nodes', 'Whether pages of different NUMA nodes merge (1).'),
    pages_shared: gauge('node_ksmd_pages_shared', 'Merged pages in use.'),
    pages_sharing: gauge('node_ksmd_pages_sharing', 'Places that use a merged page: the pages saved.'),
    pages_to_scan: gauge('node_ksmd_pages_to_scan', 'Pages to scan before the daemon sleeps.'),
    pages_unshared: gauge(
      'node_ksmd_pages_unshared',
      'Pages without a double so far, which are checked again and again.',
    ),
    pages_volatile: gauge('node_ksmd_pages_volatile', 'Pages that change too fast to be merged.'),
    run: gauge('node_ksmd_run', 'What the daemon does: 0 stopped, 1 runs, 2 stopped and all pages unmerged.'),
    sleep_millisecs: gauge('node_ksmd_sleep_seconds', 'How long the daemon sleeps between scans.'),
  },
  setup({ sys }, metrics) {
    const layOut: DeviceLayout = ({ number }, out) => {
      for (const [file, family] of Object.entries(metrics))
        out.sample(family, number(file)?.over(family === metrics.sleep_millisecs ? MS_OF_SECOND : 1));
    };
    return sys.devices('kernel/mm', /^ksm$/, layOut, { ifAbsent: nothing });
  },
});
