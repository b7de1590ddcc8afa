import { defineCollector } from '../core/collector.ts';
import { ParseError } from '../core/errors.ts';
import { flag } from '../core/flag.ts';
import { gauge } from '../core/metric.ts';
import { passes } from '../core/pattern.ts';
import { autoInt, fields, lines } from '../core/text.ts';

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

export default defineCollector({
  name: 'arp',
  help: 'Exposes how many neighbours the ARP tables hold.',
  enabled: true,
  reads: ['/proc/net/arp'],
  flags: {
    include: flag.regexp('collector.arp.device-include', 'Network devices to tell of, as a regular expression.'),
    exclude: flag.regexp('collector.arp.device-exclude', 'Network devices to leave out, as a regular expression.'),
    netlink: flag.bool('collector.arp.netlink', 'Count what netlink would list, rather than the rows of /proc.', true),
  },
  metrics: {
    entries: gauge('node_arp_entries', 'Neighbours in the ARP table.', 'device'),
  },
  setup({ proc, flags, isGiven, log }, metrics) {
    const { include, exclude, netlink } = flags;
    if (netlink && isGiven('netlink')) log.warn('ARP entries are read from /proc: netlink is not supported yet');
    return (out) => {
      const counts = new Map<string, number>();
      for (const { device, published } of parseArp(proc.read('net/arp'))) {
        // Netlink lists no addresses that are answered for.
        if (netlink && published) continue;
        counts.set(device, (counts.get(device) ?? 0) + 1);
      }
      for (const [device, count] of counts)
        if (passes(device, include, exclude)) out.sample(metrics.entries, count, device);
    };
  },
});
