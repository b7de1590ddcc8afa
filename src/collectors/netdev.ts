import { nothing } from '../core/absent.ts';
import { type Collect, defineCollector, type Host } from '../core/collector.ts';
import { UsageError } from '../core/errors.ts';
import { orInstead } from '../core/fallback.ts';
import { type FlagValues, flag } from '../core/flag.ts';
import { counter, type Family, gauge } from '../core/metric.ts';
import { nameIn } from '../core/names.ts';
import { type Pattern, passes } from '../core/pattern.ts';
import { sumOf, type Value } from '../core/reading.ts';
import type { LayoutWriter } from '../core/writer.ts';
import { NETLINK_ROUTE } from '../netlink/protocols.ts';
import {
  aliasOf,
  counterIndex,
  counterOf,
  type LinkCounter,
  nameOf,
  parseDeviceAddress,
} from '../netlink/rtnetlink.ts';

const metrics = {
  receiveBytes: counter('node_network_receive_bytes_total', 'Bytes received.', 'device'),
  receivePackets: counter('node_network_receive_packets_total', 'Packets received.', 'device'),
  receiveErrs: counter('node_network_receive_errs_total', 'Errors of every kind while receiving.', 'device'),
  receiveDrop: counter('node_network_receive_drop_total', 'Packets received and dropped, or missed.', 'device'),
  receiveFifo: counter('node_network_receive_fifo_total', 'Receive errors: FIFO overrun.', 'device'),
  receiveFrame: counter(
    'node_network_receive_frame_total',
    'Receive errors: length, overrun, checksum and alignment.',
    'device',
  ),
  receiveCompressed: counter('node_network_receive_compressed_total', 'Compressed packets received.', 'device'),
  receiveMulticast: counter('node_network_receive_multicast_total', 'Multicast packets received.', 'device'),
  receiveNohandler: counter(
    'node_network_receive_nohandler_total',
    'Packets received on an inactive device and dropped by the network stack.',
    'device',
  ),
  transmitBytes: counter('node_network_transmit_bytes_total', 'Bytes sent.', 'device'),
  transmitPackets: counter('node_network_transmit_packets_total', 'Packets sent.', 'device'),
  transmitErrs: counter('node_network_transmit_errs_total', 'Errors of every kind while sending.', 'device'),
  transmitDrop: counter('node_network_transmit_drop_total', 'Packets dropped on their way out.', 'device'),
  transmitFifo: counter('node_network_transmit_fifo_total', 'Send errors: FIFO underrun.', 'device'),
  transmitColls: counter('node_network_transmit_colls_total', 'Collisions while sending.', 'device'),
  transmitCarrier: counter(
    'node_network_transmit_carrier_total',
    'Send errors: carrier, abort, heartbeat and window.',
    'device',
  ),
  transmitCompressed: counter('node_network_transmit_compressed_total', 'Compressed packets sent.', 'device'),
  receiveErrors: counter('node_network_receive_errors_total', 'Errors of every kind while receiving.', 'device'),
  receiveDropped: counter('node_network_receive_dropped_total', 'Packets received and dropped.', 'device'),
  transmitErrors: counter('node_network_transmit_errors_total', 'Errors of every kind while sending.', 'device'),
  transmitDropped: counter('node_network_transmit_dropped_total', 'Packets dropped on their way out.', 'device'),
  multicast: counter('node_network_multicast_total', 'Multicast packets received.', 'device'),
  collisions: counter('node_network_collisions_total', 'Collisions while sending.', 'device'),
  receiveLengthErrors: counter('node_network_receive_length_errors_total', 'Receive errors: wrong length.', 'device'),
  receiveOverErrors: counter('node_network_receive_over_errors_total', 'Receive errors: buffer overrun.', 'device'),
  receiveCrcErrors: counter('node_network_receive_crc_errors_total', 'Receive errors: wrong checksum.', 'device'),
  receiveFrameErrors: counter('node_network_receive_frame_errors_total', 'Receive errors: alignment.', 'device'),
  receiveFifoErrors: counter('node_network_receive_fifo_errors_total', 'Receive errors: FIFO overrun.', 'device'),
  receiveMissedErrors: counter('node_network_receive_missed_errors_total', 'Packets that the device missed.', 'device'),
  transmitAbortedErrors: counter('node_network_transmit_aborted_errors_total', 'Send errors: abort.', 'device'),
  transmitCarrierErrors: counter('node_network_transmit_carrier_errors_total', 'Send errors: carrier.', 'device'),
  transmitFifoErrors: counter('node_network_transmit_fifo_errors_total', 'Send errors: FIFO underrun.', 'device'),
  transmitHeartbeatErrors: counter('node_network_transmit_heartbeat_errors_total', 'Send errors: heartbeat.', 'device'),
  transmitWindowErrors: counter('node_network_transmit_window_errors_total', 'Send errors: late collision.', 'device'),
  addressInfo: gauge(
    'node_network_address_info',
    'An address of a network device, in labels; always 1.',
    'device',
    'address',
    'netmask',
    'scope',
  ),
} as const;

const HEADING_LINES = 2;

/** The columns of `/proc/net/dev`. */
const PROC_COLUMNS = [
  metrics.receiveBytes,
  metrics.receivePackets,
  metrics.receiveErrs,
  metrics.receiveDrop,
  metrics.receiveFifo,
  metrics.receiveFrame,
  metrics.receiveCompressed,
  metrics.receiveMulticast,
  metrics.transmitBytes,
  metrics.transmitPackets,
  metrics.transmitErrs,
  metrics.transmitDrop,
  metrics.transmitFifo,
  metrics.transmitColls,
  metrics.transmitCarrier,
  metrics.transmitCompressed,
] as const;

/** What the detailed metrics call some of these columns, although they are the same sums. */
const DETAILED_NAMES = new Map<Family, Family<readonly ['device']>>([
  [metrics.receiveErrs, metrics.receiveErrors],
  [metrics.receiveDrop, metrics.receiveDropped],
  [metrics.transmitErrs, metrics.transmitErrors],
  [metrics.transmitDrop, metrics.transmitDropped],
]);

const NOHANDLER = [['rx_nohandler', metrics.receiveNohandler]] as const;

/** What netlink has one by one. The files of `/sys/class/net/<device>/statistics` have the same names. */
const STATISTICS = [
  ['rx_bytes', metrics.receiveBytes],
  ['rx_packets', metrics.receivePackets],
  ['rx_errors', metrics.receiveErrors],
  ['rx_dropped', metrics.receiveDropped],
  ['multicast', metrics.multicast],
  ['collisions', metrics.collisions],
  ['rx_length_errors', metrics.receiveLengthErrors],
  ['rx_over_errors', metrics.receiveOverErrors],
  ['rx_crc_errors', metrics.receiveCrcErrors],
  ['rx_frame_errors', metrics.receiveFrameErrors],
  ['rx_fifo_errors', metrics.receiveFifoErrors],
  ['rx_missed_errors', metrics.receiveMissedErrors],
  ['rx_compressed', metrics.receiveCompressed],
  ...NOHANDLER,
  ['tx_bytes', metrics.transmitBytes],
  ['tx_packets', metrics.transmitPackets],
  ['tx_errors', metrics.transmitErrors],
  ['tx_dropped', metrics.transmitDropped],
  ['tx_aborted_errors', metrics.transmitAbortedErrors],
  ['tx_carrier_errors', metrics.transmitCarrierErrors],
  ['tx_fifo_errors', metrics.transmitFifoErrors],
  ['tx_heartbeat_errors', metrics.transmitHeartbeatErrors],
  ['tx_window_errors', metrics.transmitWindowErrors],
  ['tx_compressed', metrics.transmitCompressed],
] as const;

type Column = readonly [family: Family<readonly ['device']>, counters: readonly LinkCounter[]];

const DETAILED: readonly Column[] = STATISTICS.map(([name, family]) => [family, [name]]);

/** The sums that `/proc/net/dev` shows, of what netlink has. */
const SUMMED: readonly Column[] = [
  [metrics.receiveBytes, ['rx_bytes']],
  [metrics.receivePackets, ['rx_packets']],
  [metrics.receiveErrs, ['rx_errors']],
  [metrics.receiveDrop, ['rx_dropped', 'rx_missed_errors']],
  [metrics.receiveFifo, ['rx_fifo_errors']],
  [metrics.receiveFrame, ['rx_length_errors', 'rx_over_errors', 'rx_crc_errors', 'rx_frame_errors']],
  [metrics.receiveCompressed, ['rx_compressed']],
  [metrics.receiveMulticast, ['multicast']],
  [metrics.receiveNohandler, ['rx_nohandler']],
  [metrics.transmitBytes, ['tx_bytes']],
  [metrics.transmitPackets, ['tx_packets']],
  [metrics.transmitErrs, ['tx_errors']],
  [metrics.transmitDrop, ['tx_dropped']],
  [metrics.transmitFifo, ['tx_fifo_errors']],
  [metrics.transmitColls, ['collisions']],
  [metrics.transmitCarrier, ['tx_carrier_errors', 'tx_aborted_errors', 'tx_heartbeat_errors', 'tx_window_errors']],
  [metrics.transmitCompressed, ['tx_compressed']],
];

/** How far an address reaches. */
export function scopeOf(address: string): 'link-local' | 'interface-local' | 'global' | '' {
  if (!address.includes(':')) {
    const [a = 0, b, c] = address.split('.').map(Number);
    if (a === 127 || (a === 169 && b === 254) || (a === 224 && b === 0 && c === 0)) return 'link-local';
    const multicast = a >= 224 && a < 240;
    return multicast || address === '0.0.0.0' || address === '255.255.255.255' ? '' : 'global';
  }
  if (address === '::1' || /^(fe[89ab].|ff.2):/i.test(address)) return 'link-local';
  if (/^ff.1:/i.test(address)) return 'interface-local';
  return address === '::' || /^ff..:/i.test(address) ? '' : 'global';
}

const flags = {
  include: flag.regexp(
    'collector.netdev.device-include',
    'Network devices to take, as a regular expression. Not together with device-exclude.',
  ),
  whitelist: flag.regexp('collector.netdev.device-whitelist', 'Old name of device-include.', '', {
    hidden: true,
    deprecated: 'collector.netdev.device-include',
  }),
  exclude: flag.regexp(
    'collector.netdev.device-exclude',
    'Network devices to leave out, as a regular expression. Not together with device-include.',
  ),
  blacklist: flag.regexp('collector.netdev.device-blacklist', 'Old name of device-exclude.', '', {
    hidden: true,
    deprecated: 'collector.netdev.device-exclude',
  }),
  addressInfo: flag.bool('collector.netdev.address-info', 'Expose the addresses of devices too.'),
  detailed: flag.bool(
    'collector.netdev.enable-detailed-metrics',
    'Expose every kind of error by itself, under names that differ from the usual ones.',
  ),
  ifalias: flag.bool('collector.netdev.label-ifalias', "Put the device's alias into a label, ifalias."),
  netlink: flag.bool('collector.netdev.netlink', 'Take what netlink has, rather than only the columns of /proc.', true),
} as const;

interface Filters {
  readonly include: Pattern | undefined;
  readonly exclude: Pattern | undefined;
}

/** The filters, by their new or their old names. */
function filtersOf({ include, whitelist, exclude, blacklist }: FlagValues<typeof flags>): Filters {
  const refuse = (a: string, b: string): never => {
    throw new UsageError(`--collector.netdev.device-${a} and --collector.netdev.device-${b} exclude one another`);
  };
  if (include && whitelist) refuse('include', 'whitelist');
  if (exclude && blacklist) refuse('exclude', 'blacklist');
  const filters = { include: include ?? whitelist, exclude: exclude ?? blacklist };
  if (filters.include && filters.exclude) refuse('include', 'exclude');
  return filters;
}

/** Writes a counter, with the alias of the device in a label where that is wanted. */
type Write = (
  out: LayoutWriter,
  family: Family<readonly ['device']>,
  value: Value,
  device: string,
  alias: string,
) => void;

function createWrite(withAlias: boolean): Write {
  if (!withAlias) return (out, family, value, device) => out.sample(family, value, device);
  // With the alias in a label every family is another.
  const families = new Map<Family, Family<readonly ['device', 'ifalias']>>();
  return (out, family, value, device, alias) => {
    const found = families.get(family) ?? counter(family.name, family.help, 'device', 'ifalias');
    families.set(family, found);
    out.sample(found, value, device, alias);
  };
}

interface Options {
  readonly isWanted: (device: string) => boolean;
  readonly isDetailed: boolean;
  readonly withAlias: boolean;
  readonly write: Write;
}

/** What netlink says of all devices. */
function fromLinks({ network }: Pick<Host, 'network'>, { isWanted, isDetailed, withAlias, write }: Options): Collect {
  const columns = (isDetailed ? DETAILED : SUMMED).map(([family, names]) => [family, names.map(counterIndex)] as const);
  return network.links.table((link, out) => {
    const device = nameOf(link);
    if (!isWanted(device)) return;
    const alias = withAlias ? aliasOf(link) : '';
    for (const [family, places] of columns) {
      const counters = places.map((place) => counterOf(link, place));
      if (counters.every((each) => each !== undefined)) write(out, family, sumOf(counters), device, alias);
    }
  });
}

/** `/proc/net/dev`: two lines of headings, then a device and 16 counters on each. https://docs.kernel.org/networking/statistics.html */
function fromRows({ proc, sys }: Pick<Host, 'proc' | 'sys'>, options: Options): Collect {
  const { isWanted, isDetailed, withAlias, write } = options;
  return proc.table('net/dev', (lines, out) =>
    lines.each((line, row) => {
      if (row < HEADING_LINES) return;
      const first = line.word(0);
      // The name of an alias, such as eth0:1, has a colon too.
      const colon = first.lastIndexOf(':');
      // Old kernels leave no blank before a first counter of eight digits.
      const touching = first.slice(0, colon + 1);
      const offset = touching === first ? 1 : 0;
      // A kernel may count more behind these.
      if (colon <= 0 || line.length < PROC_COLUMNS.length + offset) throw line.fault();
      const device = first.slice(0, colon);
      const counters = PROC_COLUMNS.map((_, i) => (i + offset === 0 ? line.uint(0, touching) : line.uint(i + offset)));
      if (!isWanted(device)) return;
      const name = withAlias ? nameIn(sys, 'class/net', device) : undefined;
      const alias = name === undefined ? '' : (lines.fixed(sys.passing(`class/net/${name}/ifalias`))?.trim() ?? '');
      for (const [column, family] of PROC_COLUMNS.entries())
        write(out, (isDetailed && DETAILED_NAMES.get(family)) || family, counters[column], device, alias);
    }),
  );
}

/** What netlink says one by one, `/proc` adds up, but sysfs has it too. */
const fromStatistics = ({ sys }: Pick<Host, 'sys'>, { isWanted, isDetailed, withAlias, write }: Options): Collect =>
  sys.devices(
    'class/net',
    /./,
    (net, out) => {
      if (!isWanted(net.id)) return;
      const alias = withAlias ? (net.fixed('ifalias') ?? '') : '';
      for (const [file, family] of isDetailed ? STATISTICS : NOHANDLER)
        write(out, family, net.number(`statistics/${file}`), net.id, alias);
    },
    { ifAbsent: nothing },
  );

/** Addresses by netlink, but for those of devices that have gone since. */
const addressesFromNetlink =
  ({ network }: Pick<Host, 'network'>): Collect =>
  (out) =>
    network.addresses.each((view, start, end) => {
      const found = parseDeviceAddress(view, start, end);
      const device = found === undefined ? undefined : network.deviceName(found.index);
      if (found === undefined || device === undefined) return;
      out.sample(metrics.addressInfo, 1, device, found.address, String(found.prefixLength), scopeOf(found.address));
    });

const addressesFromLibrary =
  ({ system }: Pick<Host, 'system'>): Collect =>
  (out) => {
    for (const { device, address, prefixLength } of system.interfaceAddresses())
      out.sample(metrics.addressInfo, 1, device, address, prefixLength, scopeOf(address));
  };

/** One part after the other, as one. */
const inTurn =
  (...parts: readonly Collect[]): Collect =>
  async (out, turn) => {
    for (const part of parts) await part(out, turn);
  };

export default defineCollector({
  name: 'netdev',
  help: 'Exposes what network devices have sent and received.',
  enabled: true,
  reads: [
    '/proc/net/dev',
    '/sys/class/net/<device>/statistics/*',
    '/sys/class/net/<device>/ifalias',
    'netlink:RTM_GETLINK',
    'netlink:RTM_GETADDR',
  ],
  flags,
  metrics,
  needs: () => ({ sockets: [{ family: 'netlink', protocol: NETLINK_ROUTE }] }),
  setup(host) {
    const { include, exclude } = filtersOf(host.flags);
    const { addressInfo, detailed, ifalias, netlink } = host.flags;
    const options: Options = {
      isWanted: (device) => passes(device, include, exclude),
      isDetailed: detailed,
      withAlias: ifalias,
      write: createWrite(ifalias),
    };
    const files = detailed
      ? fromStatistics(host, options)
      : inTurn(fromRows(host, options), fromStatistics(host, options));
    const counters = netlink
      ? orInstead(host, 'counters of network devices from /proc and sysfs', fromLinks(host, options), files)
      : fromRows(host, options);
    const addresses = orInstead(
      host,
      'addresses of the C library',
      addressesFromNetlink(host),
      addressesFromLibrary(host),
    );
    return addressInfo ? [counters, addresses] : counters;
  },
});
