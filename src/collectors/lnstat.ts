import { nothing } from '../core/absent.ts';
import { defineCollector } from '../core/collector.ts';
import { dynamic } from '../core/metric.ts';

/** Files of `/proc/net/stat`: names, then a row of hexadecimal numbers per CPU. https://man7.org/linux/man-pages/man8/lnstat.8.html */
export default defineCollector({
  name: 'lnstat',
  help: 'Exposes what the caches and tables of the network stack count.',
  enabled: false,
  reads: ['/proc/net/stat/*'],
  flags: {},
  metrics: {
    statistic: dynamic.counter(
      'node_lnstat_<name>_total',
      'What a cache or table of the network stack counts as <name>.',
      'cpu',
      'subsystem',
    ),
  },
  setup({ proc }, metrics) {
    return proc.devices(
      'net',
      /^stat$/,
      (stat, out) => {
        for (const subsystem of stat.list()) {
          const lines = stat.lines(subsystem);
          const heading = lines?.at(0);
          const families = Array.from({ length: heading?.length ?? 0 }, (_, column) =>
            metrics.statistic.of(heading?.word(column) ?? ''),
          );
          lines?.each((row, i) => {
            if (row.length === 0 || row.length > families.length) throw row.fault();
            for (const [column, family] of families.slice(0, i === 0 ? 0 : row.length).entries())
              out.sample(family, row.hex(column), String(i - 1), subsystem);
          });
        }
      },
      { ifAbsent: nothing },
    );
  },
});
