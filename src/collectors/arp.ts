import { type Collect, defineCollector } from '../core/collector.ts';
import { orInstead } from '../core/fallback.ts';
import { flag } from '../core/flag.ts';
import type { Line } from '../core/host.ts';
import { gauge } from '../core/metric.ts';
import { passes } from '../core/pattern.ts';
import { autoInt } from '../core/text.ts';
import type { Writer } from '../core/writer.ts';
import { NETLINK_ROUTE } from '../netlink/protocols.ts';
import { parseIpv4Neighbour } from '../netlink/rtnetlink.ts';

const HEADING_COLUMNS = 9;
const COLUMNS = 6;
const HARDWARE_ADDRESS = /^[0-9a-f]{2}(?:[:-][0-9a-f]{2})*$/i;
/** `ARPHRD_ETHER` of <linux/if_arp.h>. Addresses of others are written in other ways, such as `N0CALL-1` of AX.25. */
const ETHERNET = 1;
/** `ATF_PUBL` of <linux/if_arp.h>. */
const PUBLISHED = 0x8;
/** `NUD_NOARP` of <linux/neighbour.h>: an address that nobody is asked for, such as one for multicast. */
const NOARP = 0x40;

/** A row of `/proc/net/arp`. https://man7.org/linux/man-pages/man5/proc_pid_net.5.html */
function parseRow(line: Line): { device: string; isPublished: boolean } {
  const flags = autoInt(line.find(2));
  const address = line.find(3) ?? '';
  const isEthernet = autoInt(line.find(1)) === ETHERNET;
  const isOdd = isEthernet && !HARDWARE_ADDRESS.test(address);
  if (line.length !== COLUMNS || flags === undefined || isOdd) throw line.fault();
  return { device: line.word(5), isPublished: (flags & PUBLISHED) !== 0 };
}

const add = <K>(counts: Map<K, number>, key: K): void => void counts.set(key, (counts.get(key) ?? 0) + 1);

export default defineCollector({
  name: 'arp',
  help: 'Exposes how many neighbours the ARP tables hold.',
  enabled: true,
  reads: ['/proc/net/arp', 'netlink:RTM_GETNEIGH'],
  flags: {
    include: flag.regexp('collector.arp.device-include', 'Network devices to take, as a regular expression.'),
    exclude: flag.regexp('collector.arp.device-exclude', 'Network devices to leave out, as a regular expression.'),
    netlink: flag.bool('collector.arp.netlink', 'Count neighbours by netlink, not by /proc.', true),
  },
  metrics: {
    entries: gauge('node_arp_entries', 'Neighbours in the ARP table.', 'device'),
  },
  needs: () => ({ sockets: [{ family: 'netlink', protocol: NETLINK_ROUTE }] }),
  setup(host, metrics) {
    const { proc, network, flags } = host;
    const { include, exclude, netlink } = flags;
    const isWanted = (device: string): boolean => passes(device, include, exclude);
    const counts = new Map<number, number>();
    const fromNetlink = (out: Writer): void => {
      counts.clear();
      network.neighbours.each((view, start, end) => {
        const neighbour = parseIpv4Neighbour(view, start, end);
        if (neighbour !== undefined && (neighbour.state & NOARP) === 0) add(counts, neighbour.index);
      });
      for (const [index, count] of counts) {
        // A device may have gone since.
        const device = network.deviceName(index);
        if (device !== undefined && isWanted(device)) out.sample(metrics.entries, count, device);
      }
    };
    /** `withPublished`: netlink lists no addresses that are answered for in another's place. */
    const fromRows = (withPublished: boolean): Collect =>
      proc.table('net/arp', (lines, out) => {
        const byDevice = new Map<string, number>();
        lines.each((line) => {
          if (line.length === HEADING_COLUMNS) return;
          const { device, isPublished } = parseRow(line);
          if (withPublished || !isPublished) add(byDevice, device);
        });
        for (const [device, count] of byDevice) if (isWanted(device)) out.sample(metrics.entries, count, device);
      });
    return netlink ? orInstead(host, 'ARP entries from /proc', fromNetlink, fromRows(false)) : fromRows(true);
  },
});
