import { noData, nothing } from '../core/absent.ts';
import { defineCollector } from '../core/collector.ts';
import type { Lines } from '../core/host.ts';
import { gauge } from '../core/metric.ts';
import { type Reading, sumOf } from '../core/reading.ts';

const DIR = 'sys/net/netfilter';
const COLUMNS_MIN = 16;

/** The columns of `/proc/net/stat/nf_conntrack` that are exposed. */
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

/**
 * `/proc/net/stat/nf_conntrack`: a row of hexadecimal counters for each CPU below a heading; the CPUs are added up. The last
 * column, `search_restart`, came with Linux 2.6.36; without it the sum is 0.
 */
function columnsOf(lines: Lines): Map<number, Reading[]> {
  const columns = new Map<number, Reading[]>();
  lines.each((line, row) => {
    if (row === 0) return;
    const { length } = line;
    if (length < COLUMNS_MIN) throw line.fault();
    const readings = Array.from({ length }, (_, column) => line.hex(column));
    for (const [column, reading] of readings.entries()) columns.set(column, [...(columns.get(column) ?? []), reading]);
  });
  return columns;
}

/** https://docs.kernel.org/networking/nf_conntrack-sysctl.html */
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
    const ifAbsent = noData('connections are not tracked on this machine');
    return [
      proc.lineTable(`${DIR}/nf_conntrack_count`, (line, out) => out.sample(metrics.entries, line.uint(0)), {
        ifAbsent,
      }),
      proc.lineTable(`${DIR}/nf_conntrack_max`, (line, out) => out.sample(metrics.limit, line.uint(0)), { ifAbsent }),
      // A kernel can be built without these.
      proc.table(
        'net/stat/nf_conntrack',
        (lines, out) => {
          const columns = columnsOf(lines);
          // Of rows that cannot be read nobody knows that they are 0.
          if (columns.size === 0 && lines.length > 1) return;
          for (const name of NAMES) out.sample(metrics[name], sumOf(columns.get(COLUMNS[name]) ?? []));
        },
        { ifAbsent: nothing },
      ),
    ];
  },
});
