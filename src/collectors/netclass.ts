import { noData } from '../core/absent.ts';
import { type Collect, defineCollector, type Host } from '../core/collector.ts';
import { NOTHING, optional } from '../core/errors.ts';
import { orInstead } from '../core/fallback.ts';
import { unsaid } from '../core/faults.ts';
import { flag } from '../core/flag.ts';
import type { Device, Tree } from '../core/host.ts';
import { counter, gauge } from '../core/metric.ts';
import { nameIn } from '../core/names.ts';
import type { Message } from '../core/network.ts';
import { autoInt } from '../core/text.ts';
import { bytesOf } from '../core/utf8.ts';
import { intWord, oneIf } from '../core/words.ts';
import type { LayoutWriter } from '../core/writer.ts';
import { type LinkMode, parseLinkMode } from '../netlink/ethtool.ts';
import { NETLINK_GENERIC, NETLINK_ROUTE } from '../netlink/protocols.ts';
import {
  addressOf,
  aliasOf,
  altNamesOf,
  counterIndex,
  counterOf,
  LINK,
  LINK_HEAD,
  nameOf,
  operstateOf,
} from '../netlink/rtnetlink.ts';

const metrics = {
  up: gauge('node_network_up', 'Whether the device can pass packets: its operational state is up.', 'device'),
  info: gauge(
    'node_network_info',
    'What is known of the network device, in labels; always 1.',
    'device',
    'address',
    'broadcast',
    'duplex',
    'operstate',
    'adminstate',
    'ifalias',
  ),
  netlinkInfo: gauge(
    'node_network_info',
    'What is known of the network device, in labels; always 1.',
    'device',
    'address',
    'broadcast',
    'duplex',
    'operstate',
    'ifalias',
  ),
  altNames: gauge(
    'node_network_altnames_info',
    'Another name of the network device, in a label; always 1.',
    'altname',
    'device',
  ),
  addressAssignType: gauge(
    'node_network_address_assign_type',
    'Where the hardware address comes from: 0 the device, 1 chance, 2 another device, 3 user space.',
    'device',
  ),
  carrier: gauge('node_network_carrier', 'Whether the device has a link.', 'device'),
  carrierChanges: counter('node_network_carrier_changes_total', 'Times that the link came or went.', 'device'),
  carrierUp: counter('node_network_carrier_up_changes_total', 'Times that the link came.', 'device'),
  carrierDown: counter('node_network_carrier_down_changes_total', 'Times that the link went.', 'device'),
  deviceId: gauge('node_network_device_id', 'Distinguishes devices that share a hardware address.', 'device'),
  dormant: gauge(
    'node_network_dormant',
    'Whether the device waits for something outside, such as a supplicant.',
    'device',
  ),
  flags: gauge('node_network_flags', 'Flags of the device, as bits (IFF_UP and its like).', 'device'),
  ifaceId: gauge('node_network_iface_id', 'Number of the device.', 'device'),
  ifaceLink: gauge('node_network_iface_link', 'Number of the device below this one, or its own.', 'device'),
  linkMode: gauge('node_network_iface_link_mode', 'Whether a supplicant decides when the device is up (1).', 'device'),
  mtu: gauge('node_network_mtu_bytes', 'Longest packet that the device sends, in bytes.', 'device'),
  nameAssignType: gauge(
    'node_network_name_assign_type',
    'Where the name comes from: 1 the kernel, 2 the kernel predictably, 3 user space, 4 a renaming.',
    'device',
  ),
  group: gauge('node_network_net_dev_group', 'Group that the device was put into.', 'device'),
  queueLength: gauge('node_network_transmit_queue_length', 'Packets that the transmit queue holds at most.', 'device'),
  protocolType: gauge('node_network_protocol_type', 'Kind of hardware, as ARP numbers it.', 'device'),
  speed: gauge('node_network_speed_bytes', 'Speed of the link, in bytes per second.', 'device'),
  // These are gauges here, though they count, and counters where they come from another collector.
  receivePackets: gauge('node_network_receive_packets_total', 'Packets received.', 'device'),
  transmitPackets: gauge('node_network_transmit_packets_total', 'Packets sent.', 'device'),
  receiveBytes: gauge('node_network_receive_bytes_total', 'Bytes received.', 'device'),
  transmitBytes: gauge('node_network_transmit_bytes_total', 'Bytes sent.', 'device'),
  receiveErrors: gauge('node_network_receive_errors_total', 'Errors of every kind while receiving.', 'device'),
  transmitErrors: gauge('node_network_transmit_errors_total', 'Errors of every kind while sending.', 'device'),
  receiveDropped: gauge('node_network_receive_dropped_total', 'Packets received and dropped.', 'device'),
  transmitDropped: gauge('node_network_transmit_dropped_total', 'Packets dropped on their way out.', 'device'),
  multicast: gauge('node_network_multicast_total', 'Multicast packets received.', 'device'),
  collisions: gauge('node_network_collisions_total', 'Collisions while sending.', 'device'),
  receiveLengthErrors: gauge('node_network_receive_length_errors_total', 'Receive errors: wrong length.', 'device'),
  receiveOverErrors: gauge('node_network_receive_over_errors_total', 'Receive errors: buffer overrun.', 'device'),
  receiveCrcErrors: gauge('node_network_receive_crc_errors_total', 'Receive errors: wrong checksum.', 'device'),
  receiveFrameErrors: gauge('node_network_receive_frame_errors_total', 'Receive errors: alignment.', 'device'),
  receiveFifoErrors: gauge('node_network_receive_fifo_errors_total', 'Receive errors: FIFO overrun.', 'device'),
  receiveMissedErrors: gauge('node_network_receive_missed_errors_total', 'Packets that the device missed.', 'device'),
  transmitAbortedErrors: gauge('node_network_transmit_aborted_errors_total', 'Send errors: abort.', 'device'),
  transmitCarrierErrors: gauge('node_network_transmit_carrier_errors_total', 'Send errors: carrier.', 'device'),
  transmitFifoErrors: gauge('node_network_transmit_fifo_errors_total', 'Send errors: FIFO underrun.', 'device'),
  transmitHeartbeatErrors: gauge('node_network_transmit_heartbeat_errors_total', 'Send errors: heartbeat.', 'device'),
  transmitWindowErrors: gauge('node_network_transmit_window_errors_total', 'Send errors: late collision.', 'device'),
  receiveCompressed: gauge('node_network_receive_compressed_total', 'Compressed packets received.', 'device'),
  transmitCompressed: gauge('node_network_transmit_compressed_total', 'Compressed packets sent.', 'device'),
  receiveNohandler: gauge(
    'node_network_receive_nohandler_total',
    'Packets received on an inactive device and dropped by the network stack.',
    'device',
  ),
} as const;

const STATISTICS = (
  [
    ['rx_packets', metrics.receivePackets],
    ['tx_packets', metrics.transmitPackets],
    ['rx_bytes', metrics.receiveBytes],
    ['tx_bytes', metrics.transmitBytes],
    ['rx_errors', metrics.receiveErrors],
    ['tx_errors', metrics.transmitErrors],
    ['rx_dropped', metrics.receiveDropped],
    ['tx_dropped', metrics.transmitDropped],
    ['multicast', metrics.multicast],
    ['collisions', metrics.collisions],
    ['rx_length_errors', metrics.receiveLengthErrors],
    ['rx_over_errors', metrics.receiveOverErrors],
    ['rx_crc_errors', metrics.receiveCrcErrors],
    ['rx_frame_errors', metrics.receiveFrameErrors],
    ['rx_fifo_errors', metrics.receiveFifoErrors],
    ['rx_missed_errors', metrics.receiveMissedErrors],
    ['tx_aborted_errors', metrics.transmitAbortedErrors],
    ['tx_carrier_errors', metrics.transmitCarrierErrors],
    ['tx_fifo_errors', metrics.transmitFifoErrors],
    ['tx_heartbeat_errors', metrics.transmitHeartbeatErrors],
    ['tx_window_errors', metrics.transmitWindowErrors],
    ['rx_compressed', metrics.receiveCompressed],
    ['tx_compressed', metrics.transmitCompressed],
    ['rx_nohandler', metrics.receiveNohandler],
  ] as const
).map(([name, family]) => [counterIndex(name), family] as const);

/** Attributes that are exposed as they are. */
const NUMBERS = [
  ['addr_assign_type', metrics.addressAssignType],
  ['carrier', metrics.carrier],
  ['carrier_changes', metrics.carrierChanges],
  ['carrier_up_count', metrics.carrierUp],
  ['carrier_down_count', metrics.carrierDown],
  ['dev_id', metrics.deviceId],
  ['dormant', metrics.dormant],
  ['ifindex', metrics.ifaceId],
  ['iflink', metrics.ifaceLink],
  ['link_mode', metrics.linkMode],
  ['mtu', metrics.mtu],
  ['name_assign_type', metrics.nameAssignType],
  ['netdev_group', metrics.group],
  ['tx_queue_len', metrics.queueLength],
  ['type', metrics.protocolType],
] as const;

const IFF_UP = 1;
const IFF_PROMISC = 0x100;
const IFF_ALLMULTI = 0x200;
const IFF_DORMANT = 0x20000;
/** IFF_RUNNING, IFF_LOWER_UP and IFF_DORMANT: what netlink adds to the flags that sysfs shows. */
const IFF_ADDED = 0x30040;
/** Megabits in bytes: 1000 * 1000 / 8. */
const MEGABIT_BYTES = 125_000;

/**
 * The files of one device: https://docs.kernel.org/admin-guide/abi-testing.html#abi-sys-class-net-iface-address
 * (Documentation/ABI/testing/sysfs-class-net). What a device that is down refuses has no value.
 */
function writeFiles(net: Device, withInvalidSpeed: boolean, out: LayoutWriter): void {
  const operstate = net.word('operstate');
  // `bonding_masters` is a file.
  if (operstate === undefined && net.list().length === 0) return;
  const device = net.id;
  const flags = intWord(net, 'flags', out);
  const adminstate = flags === undefined ? 'unknown' : (flags & IFF_UP) === 0 ? 'down' : 'up';
  const [address, broadcast, duplex, alias] = ['address', 'broadcast', 'duplex', 'ifalias'].map(
    (file) => net.word(file) ?? '',
  );
  out.sample(metrics.up, oneIf(operstate, 'up'), device);
  out.row(metrics.info, 1, [device, address, broadcast, duplex, operstate ?? '', adminstate, alias] as string[]);
  out.sample(metrics.flags, flags, device);
  for (const [file, family] of NUMBERS) out.sample(family, net.auto(file), device);
  const speed = intWord(net, 'speed', out);
  if (speed !== undefined && (speed >= 0 || withInvalidSpeed)) out.sample(metrics.speed, speed * MEGABIT_BYTES, device);
}

/** What netlink says of a device as a number. */
const LINK_NUMBERS = [
  [metrics.carrierChanges, LINK.carrierChanges],
  [metrics.carrierUp, LINK.carrierUp],
  [metrics.carrierDown, LINK.carrierDown],
  [metrics.mtu, LINK.mtu],
  [metrics.group, LINK.group],
  [metrics.queueLength, LINK.txQueueLength],
] as const;

/** What netlink does not say; it changes with the name or the hardware address only. */
const FROM_SYSFS = [
  ['addr_assign_type', metrics.addressAssignType],
  ['dev_id', metrics.deviceId],
  ['name_assign_type', metrics.nameAssignType],
] as const;

interface LinkContext {
  /** The machine's own, which netlink is about too. */
  readonly sys: Tree;
  readonly modes: ReadonlyMap<string, LinkMode>;
}

/** What both ways by netlink write. */
function writeLink(link: Message, device: string, { sys }: LinkContext, out: LayoutWriter): void {
  out.sample(metrics.up, operstateOf(link) === 'up' ? 1 : 0, device);
  for (const [family, type] of LINK_NUMBERS) out.sample(family, link.u32(type), device);
  const name = nameIn(sys, 'class/net', device);
  for (const [file, family] of name === undefined ? [] : FROM_SYSFS)
    out.sample(family, autoInt(link.fixed(sys.passing(`class/net/${name}/${file}`))?.trim()), device);
  out.sample(metrics.linkMode, link.u8(LINK.linkMode), device);
  out.sample(metrics.ifaceId, link.head(LINK_HEAD.index, 4), device);
  // The kernel leaves out the number of the device below where it is the device's own.
  out.sample(metrics.ifaceLink, link.u32(LINK.link) ?? link.head(LINK_HEAD.index, 4), device);
  out.sample(metrics.protocolType, link.head(LINK_HEAD.type, 2), device);
}

/** The values of the files of sysfs, of what netlink says: one question for all devices in place of 26 files for each. */
function writeAsFiles(link: Message, context: LinkContext, withInvalidSpeed: boolean, out: LayoutWriter): void {
  const device = nameOf(link);
  const flags = link.headWord(LINK_HEAD.flags);
  const isUp = (flags & IFF_UP) !== 0;
  const mode = isUp ? context.modes.get(device) : undefined;
  const [address, broadcast] = [addressOf(link, LINK.address), addressOf(link, LINK.broadcast)];
  const duplex = mode?.duplex?.toLowerCase() ?? '';
  out.row(metrics.info, 1, [
    device,
    address,
    broadcast,
    duplex,
    operstateOf(link),
    isUp ? 'up' : 'down',
    aliasOf(link),
  ]);
  const promiscuous = (link.u32Word(LINK.promiscuity) ?? 0) > 0 ? IFF_PROMISC : 0;
  const allMulticast = (link.u32Word(LINK.allMulticast) ?? 0) > 0 ? IFF_ALLMULTI : 0;
  out.sample(metrics.flags, (flags & ~(IFF_ADDED | IFF_PROMISC | IFF_ALLMULTI)) | promiscuous | allMulticast, device);
  if (isUp) out.sample(metrics.carrier, link.u8(LINK.carrier), device);
  if (isUp) out.sample(metrics.dormant, (flags & IFF_DORMANT) === 0 ? 0 : 1, device);
  writeLink(link, device, context, out);
  const speed = mode?.speedMegabits;
  if (speed !== undefined && (speed >= 0 || withInvalidSpeed)) out.sample(metrics.speed, speed * MEGABIT_BYTES, device);
}

/** What the reference gives where it asks netlink. */
function writeAsNetlink(link: Message, context: LinkContext, withStatistics: boolean, out: LayoutWriter): void {
  const device = nameOf(link);
  const flags = link.headWord(LINK_HEAD.flags);
  const mode = context.modes.get(device);
  const [address, broadcast] = [addressOf(link, LINK.address), addressOf(link, LINK.broadcast)];
  out.row(metrics.netlinkInfo, 1, [device, address, broadcast, mode?.duplex ?? '', operstateOf(link), aliasOf(link)]);
  for (const name of altNamesOf(link)) out.sample(metrics.altNames, 1, name, device);
  out.sample(metrics.flags, flags, device);
  out.sample(metrics.carrier, link.u8(LINK.carrier), device);
  out.sample(metrics.dormant, (flags & IFF_DORMANT) === 0 ? 0 : 1, device);
  writeLink(link, device, context, out);
  const speed = mode?.speedMegabits;
  if (speed !== undefined && speed >= 0) out.sample(metrics.speed, speed * MEGABIT_BYTES, device);
  if (withStatistics) for (const [place, family] of STATISTICS) out.sample(family, counterOf(link, place), device);
}

interface Modes {
  /** By device, as they were said last. */
  readonly byDevice: Map<string, LinkMode>;
  /** Asks again, and answers whether anything is another. */
  refresh(): boolean;
}

/** Link modes. Kernels before 5.6 cannot be asked, and a device that sleeps ends the answer: none then. */
function createModes({ network, log }: Pick<Host, 'network' | 'log'>): Modes {
  const byDevice = new Map<string, LinkMode>();
  let before = '';
  let isLogged = false;
  const ask = (): string | undefined =>
    optional(() => {
      let all = '';
      network.linkModes.each((view, start, end) => {
        all += Buffer.from(view.buffer, view.byteOffset + start, end - start).toString('latin1');
      });
      return all;
    }, NO_MODES);
  return {
    byDevice,
    refresh() {
      const now = ask();
      if (now === undefined && !isLogged)
        log.info('duplex and speed are left out: ethtool does not give them by netlink');
      isLogged = now === undefined;
      if ((now ?? '') === before) return false;
      before = now ?? '';
      byDevice.clear();
      if (now === undefined) return true;
      network.linkModes.each((view, start, end) => {
        const mode = parseLinkMode(view, start, end);
        byDevice.set(mode.device, mode);
      });
      return true;
    },
  };
}

const NO_MODES = ['ENOENT', 'ENODEV', 'ENOTSUP'] as const;

/** Whether sysfs shows the devices that netlink is about: in a container it may be another network's. */
function isSameNetwork(sys: Tree, network: Host['network']): boolean {
  const names = new Set(
    (optional(() => sys.list('class/net'), NOTHING) ?? []).filter((name) => sys.exists(`class/net/${name}/.`)),
  );
  let isSame = true;
  network.links.each((view, start) => {
    const index = view.getUint32(start + LINK_HEAD.index, true);
    const device = bytesOf(network.deviceName(index) ?? '');
    isSame &&= names.delete(device) && sys.passing(`class/net/${device}/ifindex`).number(unsaid) === index;
  });
  return isSame && names.size === 0;
}

export default defineCollector({
  name: 'netclass',
  help: 'Exposes the attributes of network devices.',
  enabled: true,
  reads: ['/sys/class/net/<device>/*', 'netlink:RTM_GETLINK', 'netlink:ETHTOOL_MSG_LINKMODES_GET'],
  flags: {
    ignored: flag.regexp(
      'collector.netclass.ignored-devices',
      'Network devices to leave out, as a regular expression.',
      '^$',
    ),
    ignoreInvalidSpeed: flag.bool(
      'collector.netclass.ignore-invalid-speed',
      'Leave out an unknown speed (-1). With netlink this is always so.',
    ),
    netlink: flag.bool('collector.netclass.netlink', 'Ask netlink rather than sysfs.'),
    withStatistics: flag.bool(
      'collector.netclass_rtnl.with-stats',
      'Expose the statistics of devices too, where netlink is asked.',
    ),
  },
  metrics,
  needs: () => ({
    sockets: [
      { family: 'netlink', protocol: NETLINK_ROUTE },
      { family: 'netlink', protocol: NETLINK_GENERIC },
    ],
  }),
  setup(host) {
    const { sys, network, flags, openTree } = host;
    const { ignored, ignoreInvalidSpeed, netlink, withStatistics } = flags;
    const isWanted = (device: string): boolean => !(ignored?.test(device) ?? false);
    const modes = createModes(host);
    const ifAbsent = noData('there is no list of network devices');
    const fromFiles = sys.devices(
      'class/net',
      /./,
      (net, out) => {
        if (isWanted(net.id)) writeFiles(net, !ignoreInvalidSpeed, out);
      },
      { ifAbsent },
    );
    const fromLinks = (layOut: (link: Message, out: LayoutWriter) => void): Collect => {
      const table = network.links.table((link, out) => {
        if (isWanted(nameOf(link))) layOut(link, out);
      });
      return (out, turn) => {
        if (modes.refresh()) table.forget();
        return table(out, turn);
      };
    };
    const context = { sys: netlink ? openTree('/sys') : sys, modes: modes.byDevice };
    if (netlink) {
      const links = fromLinks((link, out) => writeAsNetlink(link, context, withStatistics, out));
      return orInstead(host, 'attributes of network devices from sysfs', links, fromFiles);
    }
    // A tree that was moved may be another machine's.
    if (sys.root !== '/sys') return fromFiles;
    const asFiles = fromLinks((link, out) => writeAsFiles(link, context, !ignoreInvalidSpeed, out));
    let isSame: boolean | undefined;
    const trusted: Collect = (out, turn) => {
      isSame ??= isSameNetwork(sys, network);
      return isSame ? asFiles(out, turn) : fromFiles(out, turn);
    };
    return orInstead(host, 'attributes of network devices from sysfs', trusted, fromFiles);
  },
});
