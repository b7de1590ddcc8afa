import { isIPv4 } from 'node:net';
import { type NetworkInterfaceInfo, networkInterfaces } from 'node:os';
import { defineCollector } from '../core/collector.ts';
import { eachDevice } from '../core/devices.ts';
import { optional, ParseError, UsageError } from '../core/errors.ts';
import { type FlagValues, flag } from '../core/flag.ts';
import type { KernelFs } from '../core/kernel_fs.ts';
import { counter, type Family, gauge } from '../core/metric.ts';
import { type Pattern, passes } from '../core/pattern.ts';
import { fields, lines, uint } from '../core/text.ts';
import type { Writer } from '../core/writer.ts';
import { createFallback, NETLINK_ROUTE, openNetlink } from '../netlink/netlink.ts';
import {
  ALL_ADDRESSES,
  ALL_LINKS,
  counterIndex,
  type DeviceAddress,
  type LinkCounter,
  type LinkCounters,
  parseDeviceAddress,
  parseLinkCounters,
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

/** What netlink tells one by one. The files of `/sys/class/net/<device>/statistics` have the same names. */
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

/** The sums that `/proc/net/dev` shows, of what netlink tells. */
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

/** The sum of these counters; `undefined` where this kernel lacks one. */
export function sumOf(counters: readonly number[], places: readonly number[]): number | undefined {
  let sum = 0;
  for (const place of places) {
    const count = counters[place];
    if (count === undefined) return undefined;
    sum += count;
  }
  return sum;
}

export interface DeviceCounters {
  readonly device: string;
  /** In the order of the file's columns. */
  readonly values: readonly number[];
}

/** Parses `/proc/net/dev`: two lines of headings, then a device and 16 counters on each. https://docs.kernel.org/networking/statistics.html */
export function parseNetDev(text: string): DeviceCounters[] {
  return lines(text)
    .slice(2)
    .map((line) => {
      const colon = line.lastIndexOf(':');
      const device = line.slice(0, Math.max(colon, 0)).trim();
      const columns = fields(line.slice(colon + 1));
      const values = columns.map((column) => {
        const value = uint(column);
        if (value === undefined) throw new ParseError('net/dev', line);
        return value;
      });
      if (device === '' || values.length !== PROC_COLUMNS.length) throw new ParseError('net/dev', line);
      return { device, values };
    });
}

/** How far an address reaches. */
export function scopeOf(address: string): 'link-local' | 'interface-local' | 'global' | '' {
  if (isIPv4(address)) {
    const [a = 0, b, c] = address.split('.').map(Number);
    if (a === 127 || (a === 169 && b === 254) || (a === 224 && b === 0 && c === 0)) return 'link-local';
    const multicast = a >= 224 && a < 240;
    return multicast || address === '0.0.0.0' || address === '255.255.255.255' ? '' : 'global';
  }
  if (address === '::1' || /^(fe[89ab].|ff.2):/i.test(address)) return 'link-local';
  if (/^ff.1:/i.test(address)) return 'interface-local';
  return address === '::' || /^ff..:/i.test(address) ? '' : 'global';
}

type AddressRow = readonly [device: string, address: string, prefixLength: string, scope: string];

/** Addresses as netlink tells them, but for those of devices that have gone since. */
export const addressRows = (
  addresses: readonly DeviceAddress[],
  deviceName: (index: number) => string | undefined,
): AddressRow[] => {
  const names = new Map<number, string | undefined>();
  return addresses.flatMap(({ index, address, prefixLength }): AddressRow[] => {
    if (!names.has(index)) names.set(index, deviceName(index));
    const device = names.get(index);
    return device === undefined ? [] : [[device, address, String(prefixLength), scopeOf(address)]];
  });
};

/** Addresses as the C library tells them: only of devices that are up. */
export const interfaceRows = (interfaces: NodeJS.Dict<NetworkInterfaceInfo[]>): AddressRow[] =>
  Object.entries(interfaces).flatMap(([device, addresses = []]) =>
    addresses.map(({ address, cidr }): AddressRow => {
      const prefixLength = cidr?.slice(cidr.lastIndexOf('/') + 1) ?? '';
      return [device, address, prefixLength, scopeOf(address)];
    }),
  );

const flags = {
  include: flag.regexp(
    'collector.netdev.device-include',
    'Network devices to tell of, as a regular expression. Not together with device-exclude.',
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
  addressInfo: flag.bool('collector.netdev.address-info', 'Tell the addresses of devices too.'),
  detailed: flag.bool(
    'collector.netdev.enable-detailed-metrics',
    'Tell every kind of error by itself, under names that differ from the usual ones.',
  ),
  ifalias: flag.bool('collector.netdev.label-ifalias', "Put the device's alias into a label, ifalias."),
  netlink: flag.bool('collector.netdev.netlink', 'Tell what netlink has, rather than only the columns of /proc.', true),
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

/** An attribute of one device; `undefined` where the kernel has none, or the device is going (EINVAL) or gone. */
const readAttribute = (sys: KernelFs, path: string): string | undefined =>
  optional(() => sys.attribute(path), ['EINVAL']);

function readStatistic(sys: KernelFs, device: string, file: string): number | undefined {
  const path = `class/net/${device}/statistics/${file}`;
  const text = readAttribute(sys, path);
  const value = uint(text);
  if (text !== undefined && value === undefined) throw new ParseError(path, text);
  return value;
}

/** How samples are written: with the alias of the device in a label, where that is wanted. */
type Tell = (out: Writer, family: Family<readonly ['device']>, value: number, device: string, alias: string) => void;

function createTell(withAlias: boolean): Tell {
  if (!withAlias) return (out, family, value, device) => out.sample(family, value, device);
  // With the alias in a label every family is another.
  const families = new Map<Family, Family<readonly ['device', 'ifalias']>>();
  return (out, family, value, device, alias) => {
    let found = families.get(family);
    if (found === undefined) {
      found = counter(family.name, family.help, 'device', 'ifalias');
      families.set(family, found);
    }
    out.sample(found, value, device, alias);
  };
}

export default defineCollector({
  name: 'netdev',
  help: 'Exposes what network devices have sent and received.',
  enabled: true,
  reads: ['/proc/net/dev', '/sys/class/net/<device>/statistics/*', '/sys/class/net/<device>/ifalias'],
  flags,
  metrics,
  needs: () => ({ sockets: [{ family: 'netlink', protocol: NETLINK_ROUTE }] }),
  setup({ proc, sys, flags: values, log }) {
    const { include, exclude } = filtersOf(values);
    const { addressInfo, detailed, ifalias, netlink } = values;
    const route = openNetlink(NETLINK_ROUTE);
    const orInstead = createFallback(log, 'counters of network devices from /proc and sysfs');
    const tell = createTell(ifalias);
    const aliasOf = (device: string): string =>
      ifalias ? (readAttribute(sys, `class/net/${device}/ifalias`) ?? '') : '';

    const columns = (detailed ? DETAILED : SUMMED).map(([family, names]) => [family, names.map(counterIndex)] as const);
    const tellLink = (out: Writer, { device, counters }: LinkCounters): void => {
      if (counters === undefined) return;
      const alias = aliasOf(device);
      for (const [family, places] of columns) {
        const sum = sumOf(counters, places);
        if (sum !== undefined) tell(out, family, sum, device, alias);
      }
    };

    // Without netlink: what it tells one by one, /proc adds up, but sysfs has it too.
    const fromProc = detailed && netlink ? [] : PROC_COLUMNS;
    const fromSys = !netlink ? [] : detailed ? STATISTICS : NOHANDLER;
    const tellRow = (out: Writer, { device, values: counts }: DeviceCounters): void => {
      const alias = aliasOf(device);
      for (const [place, family] of fromProc.entries())
        tell(out, (detailed && DETAILED_NAMES.get(family)) || family, counts[place] as number, device, alias);
      for (const [file, family] of fromSys) {
        const value = readStatistic(sys, device, file);
        if (value !== undefined) tell(out, family, value, device, alias);
      }
    };
    const rows = (): DeviceCounters[] => parseNetDev(proc.read('net/dev'));
    const links = (): LinkCounters[] => route.dump(ALL_LINKS, parseLinkCounters).sort(byDevice);

    return async (out, turn) => {
      const devices = netlink ? orInstead<readonly (LinkCounters | DeviceCounters)[]>(links, rows) : rows();
      const told = devices.filter(({ device }) => passes(device, include, exclude));
      await eachDevice(told, turn, (each) => ('values' in each ? tellRow(out, each) : tellLink(out, each)));
      if (!addressInfo) return;
      const addresses = orInstead(
        () => addressRows(route.dump(ALL_ADDRESSES, parseDeviceAddress), route.deviceName),
        () => interfaceRows(networkInterfaces()),
      );
      for (const row of addresses) out.sample(metrics.addressInfo, 1, ...row);
    };
  },
});

/** Samples that come in their order need not be sorted. */
const byDevice = (a: LinkCounters, b: LinkCounters): number => (a.device < b.device ? -1 : 1);
