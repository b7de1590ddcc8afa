import { defineCollector } from '../core/collector.ts';
import { optional, ParseError } from '../core/errors.ts';
import { hex } from '../core/hex.ts';
import { dynamic } from '../core/metric.ts';
import { fields, lines } from '../core/text.ts';

export interface LinkStatistics {
  /** The names at the head of the columns. */
  readonly names: readonly string[];
  /** A row for each CPU. */
  readonly rows: readonly (readonly number[])[];
}

/** Parses a file of `/proc/net/stat`: names, then a row of hexadecimal numbers per CPU. https://man7.org/linux/man-pages/man8/lnstat.8.html */
export function parseLnstat(file: string, text: string): LinkStatistics {
  const [heading = '', ...rest] = lines(text);
  const names = fields(heading);
  const rows = rest.map((line) => {
    const columns = fields(line);
    if (columns.length > names.length) throw new ParseError(file, line);
    return columns.map((column) => {
      const value = hex(column);
      if (value === undefined) throw new ParseError(file, line);
      return value;
    });
  });
  return { names, rows };
}

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
    return (out) => {
      for (const subsystem of optional(() => proc.list('net/stat')) ?? []) {
        const path = `net/stat/${subsystem}`;
        // Tables come and go with the modules they are of.
        const text = optional(() => proc.readOnce(path));
        if (text === undefined) continue;
        const { names, rows } = parseLnstat(path, text);
        for (const [cpu, row] of rows.entries())
          for (const [column, value] of row.entries())
            out.sample(metrics.statistic.of(names[column] as string), value, String(cpu), subsystem);
      }
    };
  },
});
