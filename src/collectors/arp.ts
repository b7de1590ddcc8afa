import { defineCollector } from '../core/collector.ts';
import { ParseError } from '../core/errors.ts';
import { flag } from '../core/flag.ts';
import { gauge } from '../core/metric.ts';
import { passes } from '../core/pattern.ts';
import { autoInt, fields, lines } from '../core/text.ts';
import { createFallback, NETLINK_ROUTE, openNetlink } from '../netlink/netlink.ts';
import { IPV4_NEIGHBOURS, type Neighbour, parseIpv4Neighbour } from '../netlink/rtnetlink.ts';

export interface ArpEntry {
  readonly device: string;
  /** Whether this machine answers for the address in another's place. Not a neighbour. */
  readonly published: boolean;
}

const HEADING_COLUMNS = 9;
const HARDWARE_ADDRESS = /^[0-9a-f]{2}(?:[:-][0-9a-f]{2})*$/i;
/** `ATF_PUBL` of <linux/if_arp.h>. */
const PUBLISHED = 0x8;

/** Parses `/proc/net/arp`. https://man7.org/linux/man-pages/man5/proc_pid_net.5.html */
export function parseArp(text: string): ArpEntry[] {
  const entries: ArpEntry[] = [];
  for (const line of lines(text)) {
    const columns = fields(line);
    if (columns.length === HEADING_COLUMNS) continue;
    const [, , flags, address = '', , device] = columns;
    const bits = autoInt(flags);
    if (columns.length !== 6 || bits === undefined || device === undefined || !HARDWARE_ADDRESS.test(address))
      throw new ParseError('net/arp', line);
    entries.push({ device, published: (bits & PUBLISHED) !== 0 });
  }
  return entries;
}

/** `NUD_NOARP` of <linux/neighbour.h>: an address that nobody is asked for, such as one for multicast. */
const NOARP = 0x40;

/** How many neighbours each device has, by the device's name; without those of devices that have gone since. */
export function countNeighbours(
  neighbours: readonly Neighbour[],
  deviceName: (index: number) => string | undefined,
): Map<string, number> {
  const byIndex = new Map<number, number>();
  for (const { index, state } of neighbours)
    if ((state & NOARP) === 0) byIndex.set(index, (byIndex.get(index) ?? 0) + 1);
  const byName = new Map<string, number>();
  for (const [index, count] of byIndex) {
    const device = deviceName(index);
    if (device !== undefined) byName.set(device, count);
  }
  return byName;
}

/** The same of the rows in `/proc/net/arp`. */
function countEntries(entries: readonly ArpEntry[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const { device } of entries) counts.set(device, (counts.get(device) ?? 0) + 1);
  return counts;
}

export default defineCollector({
  name: 'arp',
  help: 'Exposes how many neighbours the ARP tables hold.',
  enabled: true,
  reads: ['/proc/net/arp'],
  flags: {
    include: flag.regexp('collector.arp.device-include', 'Network devices to tell of, as a regular expression.'),
    exclude: flag.regexp('collector.arp.device-exclude', 'Network devices to leave out, as a regular expression.'),
    netlink: flag.bool('collector.arp.netlink', 'Count what netlink lists, rather than the rows of /proc.', true),
  },
  metrics: {
    entries: gauge('node_arp_entries', 'Neighbours in the ARP table.', 'device'),
  },
  needs: () => ({ sockets: [{ family: 'netlink', protocol: NETLINK_ROUTE }] }),
  setup({ proc, flags, log }, metrics) {
    const { include, exclude, netlink } = flags;
    const route = openNetlink(NETLINK_ROUTE);
    const orInstead = createFallback(log, 'ARP entries from /proc');
    const rows = (): ArpEntry[] => parseArp(proc.read('net/arp'));
    const counted = (): Map<string, number> =>
      netlink
        ? orInstead(
            () => countNeighbours(route.dump(IPV4_NEIGHBOURS, parseIpv4Neighbour), route.deviceName),
            // Netlink lists no addresses that are answered for.
            () => countEntries(rows().filter(({ published }) => !published)),
          )
        : countEntries(rows());
    return (out) => {
      for (const [device, count] of counted())
        if (passes(device, include, exclude)) out.sample(metrics.entries, count, device);
    };
  },
});
