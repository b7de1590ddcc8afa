import { defineCollector } from '../core/collector.ts';
import { gauge } from '../core/metric.ts';

/** `/proc/cgroups`: name, hierarchy, number of groups, enabled. https://man7.org/linux/man-pages/man7/cgroups.7.html */
export default defineCollector({
  name: 'cgroups',
  help: 'Exposes how many control groups each controller has.',
  enabled: false,
  reads: ['/proc/cgroups'],
  flags: {},
  metrics: {
    cgroups: gauge('node_cgroups_cgroups', 'Control groups that use the controller.', 'subsys_name'),
    enabled: gauge('node_cgroups_enabled', 'Whether the controller is enabled (1) or not (0).', 'subsys_name'),
  },
  setup({ proc }, metrics) {
    return proc.lineTable('cgroups', (line, out) => {
      const name = line.word(0);
      if (name.startsWith('#')) return;
      out.sample(metrics.cgroups, line.number(2), name);
      out.sample(metrics.enabled, line.number(3), name);
    });
  },
});
