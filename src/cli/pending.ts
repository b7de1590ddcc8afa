import { type Flag, flag } from '../core/flag.ts';

/** A collector of the reference that is still to come: its flags parse, and a warning is logged where it is switched on. */
export interface PendingCollector {
  readonly name: string;
  readonly help: string;
  readonly enabled: boolean;
  readonly flags: readonly Flag[];
}

const hidden = { hidden: true } as const;

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
  { name: 'logind', help: "Exposes the sessions that systemd's logind knows.", enabled: false, flags: [] },
  { name: 'network_route', help: 'Exposes the routing table.', enabled: false, flags: [] },
  {
    name: 'ntp',
    help: 'Exposes what a local NTP server says about its clock.',
    enabled: false,
    flags: [
      flag.text('collector.ntp.server', 'The NTP server to ask.', '127.0.0.1'),
      flag.int('collector.ntp.server-port', 'Its UDP port.', 123),
      flag.int('collector.ntp.protocol-version', 'The NTP version to speak.', 4),
      flag.bool('collector.ntp.server-is-local', 'Take the server for a local one although its address is not.'),
      flag.int('collector.ntp.ip-ttl', 'How many hops a request may take.', 1),
      flag.duration('collector.ntp.max-distance', 'The greatest distance to the root clock that is sane.', '3.46608s'),
      flag.duration('collector.ntp.local-offset-tolerance', 'How far the local clock may be off.', '1ms'),
    ],
  },
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
  {
    name: 'supervisord',
    help: 'Exposes the processes that supervisord looks after.',
    enabled: false,
    flags: [
      flag.text('collector.supervisord.url', 'Where supervisord answers XML-RPC.', 'http://localhost:9001/RPC2', {
        env: 'SUPERVISORD_URL',
      }),
    ],
  },
  {
    name: 'systemd',
    help: 'Exposes the state of systemd and of its units.',
    enabled: false,
    flags: [
      flag.text('collector.systemd.unit-include', 'Units to report (RE2, the whole name).', '.+'),
      flag.text(
        'collector.systemd.unit-exclude',
        'Units to leave out (RE2, the whole name).',
        '.+\\.(automount|device|mount|scope|slice)',
      ),
      flag.bool('collector.systemd.enable-task-metrics', 'Report the number of tasks of each unit.'),
      flag.bool('collector.systemd.enable-restarts-metrics', 'Report how often each service was restarted.'),
      flag.bool('collector.systemd.enable-start-time-metrics', 'Report when each unit was started.'),
      flag.bool('collector.systemd.private', "Ask systemd on its own socket, without the bus's daemon.", false, hidden),
      flag.text('collector.systemd.unit-whitelist', 'Units to report.', '', {
        hidden: true,
        deprecated: 'collector.systemd.unit-include',
      }),
      flag.text('collector.systemd.unit-blacklist', 'Units to leave out.', '', {
        hidden: true,
        deprecated: 'collector.systemd.unit-exclude',
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
