import { defineCollector } from '../core/collector.ts';
import { NoDataError, optional } from '../core/errors.ts';
import { flag } from '../core/flag.ts';
import type { KeptFolder, KernelFs } from '../core/kernel_fs.ts';
import { counter, gauge } from '../core/metric.ts';
import { autoInt } from '../core/text.ts';
import type { Writer } from '../core/writer.ts';
import { eachDevice } from '../kernel/devices.ts';

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
} as const;

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
      'Leave out the speed of a device that says -1: not known.',
    ),
    netlink: flag.bool('collector.netclass.netlink', 'Ask netlink rather than sysfs.'),
    withStatistics: flag.bool(
      'collector.netclass_rtnl.with-stats',
      'Tell the statistics of devices too, where netlink is asked.',
    ),
  },
  metrics,
  setup({ sys, flags, log }) {
    const { ignored, ignoreInvalidSpeed, netlink } = flags;
    if (netlink) log.warn('attributes of network devices are read from sysfs: netlink is not supported yet');
    const keeper = createKeeper(sys);
    return async (out, turn) => {
      const devices = optional(() => sys.list('class/net'), ['ENOENT', 'EACCES']);
      if (devices === undefined) throw new NoDataError('there is no list of network devices');
      const told = devices.filter((device) => !(ignored?.test(device) ?? false));
      keeper.forgetAllBut(new Set(told));
      await eachDevice(told, turn, (device) => tell(sys, device, keeper.folderOf(device), !ignoreInvalidSpeed, out));
    };
  },
});
