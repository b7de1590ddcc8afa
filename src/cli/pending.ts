import { type Flag, flag } from '../core/flag.ts';

/** A collector of the reference that is still to come: its flags parse, and switching it on is told at start. */
export interface PendingCollector {
  readonly name: string;
  readonly help: string;
  readonly enabled: boolean;
  readonly flags: readonly Flag[];
}

/** Delete an entry when its collector lands; until then the collector's own declaration wins. */
export const pendingCollectors: readonly PendingCollector[] = [
  {
    name: 'ethtool',
    help: 'Exposes what network drivers report through ethtool.',
    enabled: false,
    flags: [
      flag.regexp('collector.ethtool.device-include', 'Network devices to report (RE2).'),
      flag.regexp('collector.ethtool.device-exclude', 'Network devices to leave out (RE2).'),
      flag.regexp('collector.ethtool.metrics-include', 'Statistics to report, by their cleaned names (RE2).', '.*'),
    ],
  },
  { name: 'network_route', help: 'Exposes the routing table.', enabled: false, flags: [] },
  {
    name: 'qdisc',
    help: 'Exposes the counters of queueing disciplines.',
    enabled: false,
    flags: [
      flag.text('collector.qdisc.fixtures', 'A folder to read instead of asking the kernel, for tests.'),
      flag.regexp('collector.qdisc.device-include', 'Network devices to report (RE2).'),
      flag.regexp('collector.qdisc.device-exclude', 'Network devices to leave out (RE2).'),
      flag.regexp('collector.qdisk.device-include', 'Network devices to report.', '', {
        hidden: true,
        deprecated: 'collector.qdisc.device-include',
      }),
      flag.regexp('collector.qdisk.device-exclude', 'Network devices to leave out.', '', {
        hidden: true,
        deprecated: 'collector.qdisc.device-exclude',
      }),
    ],
  },
  { name: 'tcpstat', help: 'Exposes the number of TCP connections in each state.', enabled: false, flags: [] },
  {
    name: 'wifi',
    help: 'Exposes wireless devices and their stations.',
    enabled: false,
    flags: [flag.text('collector.wifi.fixtures', 'A folder to read instead of asking the kernel, for tests.')],
  },
];
