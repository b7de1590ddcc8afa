import { defineCollector } from '../core/collector.ts';
import { gauge } from '../core/metric.ts';

/** https://docs.kernel.org/filesystems/proc.html */
export default defineCollector({
  name: 'loadavg',
  help: 'Exposes the load averages.',
  enabled: true,
  reads: ['/proc/loadavg'],
  flags: {},
  metrics: {
    load1: gauge('node_load1', 'Tasks that run or wait, averaged over one minute.'),
    load5: gauge('node_load5', 'Tasks that run or wait, averaged over five minutes.'),
    load15: gauge('node_load15', 'Tasks that run or wait, averaged over fifteen minutes.'),
  },
  setup({ proc }, { load1, load5, load15 }) {
    return proc.lineTable('loadavg', (line, out) => {
      for (const [column, family] of [load1, load5, load15].entries()) out.sample(family, line.number(column));
    });
  },
});
