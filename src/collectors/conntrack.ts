import { defineCollector } from '../core/collector.ts';
import { NoDataError, optional, ParseError } from '../core/errors.ts';
import { hex } from '../core/hex.ts';
import { gauge } from '../core/metric.ts';
import { fields, lines, uint } from '../core/text.ts';

/** The columns of `/proc/net/stat/nf_conntrack` that are told. */
const COLUMNS = {
  found: 2,
  invalid: 4,
  ignore: 5,
  insert: 8,
  insertFailed: 9,
  drop: 10,
  earlyDrop: 11,
  searchRestart: 16,
} as const;
const NAMES = Object.keys(COLUMNS) as (keyof typeof COLUMNS)[];

export type ConntrackStatistics = Record<keyof typeof COLUMNS, number>;

/**
 * Parses `/proc/net/stat/nf_conntrack`, one row of hexadecimal counters for each CPU, and adds the CPUs up. The last
 * column, `search_restart`, came with Linux 2.6.36; without it the sum is 0.
 * https://docs.kernel.org/networking/nf_conntrack-sysctl.html
 */
export function parseConntrackStatistics(text: string): ConntrackStatistics {
  const sums = Object.fromEntries(NAMES.map((name) => [name, 0])) as ConntrackStatistics;
  for (const line of lines(text).slice(1)) {
    const columns = fields(line);
    const values = columns.map(hex);
    if (values.includes(undefined) || columns.length < 16 || columns.length > 17)
      throw new ParseError('net/stat/nf_conntrack', line);
    for (const name of NAMES) sums[name] += values[COLUMNS[name]] ?? 0;
  }
  return sums;
}

export default defineCollector({
  name: 'conntrack',
  help: 'Exposes the size of the connection tracking table and what happened to its entries.',
  enabled: true,
  reads: [
    '/proc/sys/net/netfilter/nf_conntrack_count',
    '/proc/sys/net/netfilter/nf_conntrack_max',
    '/proc/net/stat/nf_conntrack',
  ],
  flags: {},
  metrics: {
    entries: gauge('node_nf_conntrack_entries', 'Connections in the tracking table.'),
    limit: gauge('node_nf_conntrack_entries_limit', 'Connections that the tracking table can hold.'),
    found: gauge('node_nf_conntrack_stat_found', 'Lookups that found their entry.'),
    invalid: gauge('node_nf_conntrack_stat_invalid', 'Packets that no connection could be made out for.'),
    ignore: gauge('node_nf_conntrack_stat_ignore', 'Packets that needed no tracking: tracked already, or exempt.'),
    insert: gauge('node_nf_conntrack_stat_insert', 'Entries put into the table.'),
    insertFailed: gauge(
      'node_nf_conntrack_stat_insert_failed',
      'Entries not put in: another packet of the connection had come first.',
    ),
    drop: gauge('node_nf_conntrack_stat_drop', 'Packets lost to a failure of tracking.'),
    earlyDrop: gauge('node_nf_conntrack_stat_early_drop', 'Entries taken out of a full table to make room.'),
    searchRestart: gauge('node_nf_conntrack_stat_search_restart', 'Lookups begun anew because the table was resized.'),
  },
  setup({ proc }, metrics) {
    // The module may be unloaded, so nothing is kept open.
    const read = (path: string): string => {
      const text = optional(() => proc.readOnce(path));
      if (text === undefined) throw new NoDataError('connections are not tracked on this machine');
      return text;
    };
    const readNumber = (path: string): number => {
      const text = read(path);
      const value = uint(text.trim());
      if (value === undefined) throw new ParseError(path, text);
      return value;
    };
    return (out) => {
      out.sample(metrics.entries, readNumber('sys/net/netfilter/nf_conntrack_count'));
      out.sample(metrics.limit, readNumber('sys/net/netfilter/nf_conntrack_max'));
      const statistics = parseConntrackStatistics(read('net/stat/nf_conntrack'));
      for (const name of NAMES) out.sample(metrics[name], statistics[name]);
    };
  },
});
