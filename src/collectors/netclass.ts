import { defineCollector, type Turn } from '../core/collector.ts';
import { eachDevice } from '../core/devices.ts';
import { NoDataError, optional } from '../core/errors.ts';
import { flag } from '../core/flag.ts';
import { type KeptFolder, type KernelFs, openTree } from '../core/kernel_fs.ts';
import type { Logger } from '../core/log.ts';
import { counter, gauge } from '../core/metric.ts';
import { autoInt } from '../core/text.ts';
import type { Writer } from '../core/writer.ts';
import { ALL_FAMILIES, allLinkModes, type LinkMode, parseFamily, parseLinkMode } from '../netlink/ethtool.ts';
import { createFallback, NETLINK_GENERIC, NETLINK_ROUTE, type Netlink, openNetlink } from '../netlink/netlink.ts';
import { ALL_LINKS, counterIndex, type Link, parseLink } from '../netlink/rtnetlink.ts';

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
  deviceId: gauge('node_network_device_id', 'Tells devices that share a hardware address apart.', 'device'),
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

/** Attributes that are told as they are. */
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

/** Refused, or asked of a device that is down (EINVAL). Node's name for EOPNOTSUPP is ENOTSUP. */
const UNREADABLE = ['EINVAL', 'EACCES', 'ENOTSUP', 'EOPNOTSUPP'] as const;
const IFF_UP = 1;
/** Megabits in bytes: 1000 * 1000 / 8. */
const MEGABIT_BYTES = 125_000;

/**
 * Tells of one device. Every attribute is a file of its own: https://docs.kernel.org/admin-guide/abi-testing.html#abi-sys-class-net-iface-address
 * (Documentation/ABI/testing/sysfs-class-net).
 */
function tell(sys: KernelFs, device: string, kept: KeptFolder, withInvalidSpeed: boolean, out: Writer): void {
  const text = (file: string): string | undefined => optional(() => kept.attribute(file), UNREADABLE);
  const operstate = text('operstate');
  // `bonding_masters` is a file, and devices may go while they are read.
  if (operstate === undefined && !sys.exists(`class/net/${device}/.`)) return;
  const flags = autoInt(text('flags'));
  const adminstate = flags === undefined ? 'unknown' : (flags & IFF_UP) === 0 ? 'down' : 'up';
  out.sample(metrics.up, operstate === 'up' ? 1 : 0, device);
  out.row(metrics.info, 1, [
    device,
    text('address') ?? '',
    text('broadcast') ?? '',
    text('duplex') ?? '',
    operstate ?? '',
    adminstate,
    text('ifalias') ?? '',
  ]);
  if (flags !== undefined) out.sample(metrics.flags, flags, device);
  for (const [file, family] of NUMBERS) {
    const value = autoInt(text(file));
    if (value !== undefined) out.sample(family, value, device);
  }
  const speed = autoInt(text('speed'));
  if (speed !== undefined && (speed >= 0 || withInvalidSpeed)) out.sample(metrics.speed, speed * MEGABIT_BYTES, device);
}

/** Descriptors per device. They follow a device that is renamed, so that its number tells whether a name is still its own. */
function createKeeper(sys: KernelFs) {
  const kept = new Map<string, { readonly number: string | undefined; readonly folder: KeptFolder }>();
  return {
    folderOf(device: string): KeptFolder {
      const number = sys.attribute(`class/net/${device}/ifindex`);
      const before = kept.get(device);
      if (before !== undefined && before.number === number) return before.folder;
      before?.folder.close();
      const folder = sys.keep(`class/net/${device}`);
      kept.set(device, { number, folder });
      return folder;
    },
    forgetAllBut(devices: ReadonlySet<string>): void {
      for (const [device, { folder }] of kept) {
        if (devices.has(device)) continue;
        folder.close();
        kept.delete(device);
      }
    },
  };
}

/** IFF_DORMANT of <linux/if.h>. */
const IFF_DORMANT = 0x20000;

/** What netlink says of a device as a number, by the family that tells it; `undefined` where it says nothing. */
const LINK_NUMBERS = [
  [metrics.carrier, (link: Link) => link.carrier],
  [metrics.carrierChanges, (link: Link) => link.carrierChanges],
  [metrics.carrierUp, (link: Link) => link.carrierUp],
  [metrics.carrierDown, (link: Link) => link.carrierDown],
  [metrics.dormant, (link: Link) => ((link.flags & IFF_DORMANT) === 0 ? 0 : 1)],
  [metrics.flags, (link: Link) => link.flags],
  [metrics.ifaceId, (link: Link) => link.index],
  // The kernel leaves out the number of the device below where it is the device's own.
  [metrics.ifaceLink, (link: Link) => link.link ?? link.index],
  [metrics.linkMode, (link: Link) => link.linkMode],
  [metrics.mtu, (link: Link) => link.mtuBytes],
  [metrics.group, (link: Link) => link.group],
  [metrics.queueLength, (link: Link) => link.txQueueLength],
  [metrics.protocolType, (link: Link) => link.type],
] as const;

/** What netlink does not say. */
const FROM_SYSFS = [
  ['addr_assign_type', metrics.addressAssignType],
  ['dev_id', metrics.deviceId],
  ['name_assign_type', metrics.nameAssignType],
] as const;

interface LinkContext {
  /** The machine's own, which netlink speaks of too. */
  readonly sys: KernelFs;
  readonly modes: ReadonlyMap<string, LinkMode>;
  readonly withStatistics: boolean;
}

function tellLink(link: Link, { sys, modes, withStatistics }: LinkContext, out: Writer): void {
  const { device, address, broadcast, operstate, alias } = link;
  const mode = modes.get(device);
  out.sample(metrics.up, operstate === 'up' ? 1 : 0, device);
  out.row(metrics.netlinkInfo, 1, [device, address, broadcast, mode?.duplex ?? '', operstate, alias]);
  for (const name of link.altNames) out.sample(metrics.altNames, 1, name, device);
  for (const [family, numberOf] of LINK_NUMBERS) {
    const value = numberOf(link);
    if (value !== undefined) out.sample(family, value, device);
  }
  for (const [file, family] of FROM_SYSFS) {
    const value = autoInt(optional(() => sys.attribute(`class/net/${device}/${file}`), UNREADABLE));
    if (value !== undefined) out.sample(family, value, device);
  }
  if (mode?.speedMegabits !== undefined) out.sample(metrics.speed, mode.speedMegabits * MEGABIT_BYTES, device);
  if (!withStatistics || link.counters === undefined) return;
  for (const [place, family] of STATISTICS) {
    const value = link.counters[place];
    if (value !== undefined) out.sample(family, value, device);
  }
}

/** Asks for link modes, by device. Kernels before 5.6 cannot be asked, and a device that sleeps ends the answer: none then. */
function createModes(log: Logger): () => ReadonlyMap<string, LinkMode> {
  const generic = openNetlink(NETLINK_GENERIC);
  let family: number | undefined;
  let told = false;
  return () => {
    family ??= generic.dump(ALL_FAMILIES, parseFamily).find(({ name }) => name === 'ethtool')?.id;
    const modes = family === undefined ? undefined : optional(() => askModes(generic, family as number), NO_MODES);
    if (modes === undefined && !told) log.info('duplex and speed are left out: ethtool does not tell them by netlink');
    told = modes === undefined;
    return new Map(modes?.map((mode) => [mode.device, mode]));
  };
}

const NO_MODES = ['ENOENT', 'ENODEV', 'ENOTSUP'] as const;
const askModes = (generic: Netlink, family: number): LinkMode[] => generic.dump(allLinkModes(family), parseLinkMode);

export default defineCollector({
  name: 'netclass',
  help: 'Exposes the attributes of network devices.',
  enabled: true,
  reads: ['/sys/class/net/<device>/*'],
  flags: {
    ignored: flag.regexp(
      'collector.netclass.ignored-devices',
      'Network devices to leave out, as a regular expression.',
      '^$',
    ),
    ignoreInvalidSpeed: flag.bool(
      'collector.netclass.ignore-invalid-speed',
      'Leave out the speed of a device that says -1: not known. Netlink always does.',
    ),
    netlink: flag.bool('collector.netclass.netlink', 'Ask netlink rather than sysfs.'),
    withStatistics: flag.bool(
      'collector.netclass_rtnl.with-stats',
      'Tell the statistics of devices too, where netlink is asked.',
    ),
  },
  metrics,
  needs: () => ({
    sockets: [
      { family: 'netlink', protocol: NETLINK_ROUTE },
      { family: 'netlink', protocol: NETLINK_GENERIC },
    ],
  }),
  setup({ sys, flags, log }) {
    const { ignored, ignoreInvalidSpeed, netlink, withStatistics } = flags;
    const passes = (device: string): boolean => !(ignored?.test(device) ?? false);
    const route = openNetlink(NETLINK_ROUTE);
    const modesOf = createModes(log);
    const orInstead = createFallback(log, 'attributes of network devices from sysfs');
    const machineSys = openTree('/sys');

    const fromNetlink = (): Answer => ({ links: route.dump(ALL_LINKS, parseLink).sort(byDevice), modes: modesOf() });
    const keeper = createKeeper(sys);
    const tellFiles = async (out: Writer, turn: Turn): Promise<void> => {
      const devices = optional(() => sys.list('class/net'), ['ENOENT', 'EACCES']);
      if (devices === undefined) throw new NoDataError('there is no list of network devices');
      const told = devices.filter(passes);
      keeper.forgetAllBut(new Set(told));
      await eachDevice(told, turn, (device) => tell(sys, device, keeper.folderOf(device), !ignoreInvalidSpeed, out));
    };
    return async (out, turn) => {
      const answer = netlink ? orInstead<Answer | undefined>(fromNetlink, () => undefined) : undefined;
      if (answer === undefined) return tellFiles(out, turn);
      const context = { sys: machineSys, modes: answer.modes, withStatistics };
      const told = answer.links.filter(({ device }) => passes(device));
      await eachDevice(told, turn, (link) => tellLink(link, context, out));
    };
  },
});

interface Answer {
  readonly links: readonly Link[];
  readonly modes: ReadonlyMap<string, LinkMode>;
}

/** Samples that come in their order need not be sorted. */
const byDevice = (a: Link, b: Link): number => (a.device < b.device ? -1 : 1);
