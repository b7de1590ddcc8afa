import { defineCollector } from '../core/collector.ts';
import { optional, ParseError } from '../core/errors.ts';
import { flag } from '../core/flag.ts';
import { dynamic } from '../core/metric.ts';
import { fields, float, lines } from '../core/text.ts';

/** What one protocol counts, by the kernel's names. */
export type Statistics = Map<string, number>;

const FIELDS =
  '^(.*_(InErrors|InErrs)|Ip_Forwarding|Ip(6|Ext)_(InOctets|OutOctets)|Icmp6?_(InMsgs|OutMsgs)|TcpExt_(Listen.*|Syncookies.*|TCPSynRetrans|TCPTimeouts|TCPOFOQueue|TCPRcvQDrop)|Tcp_(ActiveOpens|InSegs|OutSegs|OutRsts|PassiveOpens|RetransSegs|CurrEstab)|Udp6?_(InDatagrams|OutDatagrams|NoPorts|RcvbufErrors|SndbufErrors))$';

/**
 * Parses `/proc/net/netstat` and `/proc/net/snmp`: pairs of lines, names above values.
 * https://docs.kernel.org/networking/snmp_counter.html
 */
export function parseNetstat(file: string, text: string): Map<string, Statistics> {
  const protocols = new Map<string, Statistics>();
  const all = lines(text);
  for (let i = 0; i < all.length; i += 2) {
    const [label = '', ...names] = fields(all[i] as string);
    const [sameLabel, ...values] = fields(all[i + 1] ?? '');
    if (!label.endsWith(':') || sameLabel !== label || names.length !== values.length)
      throw new ParseError(file, all[i + 1] ?? (all[i] as string));
    const statistics: Statistics = new Map();
    for (const [column, name] of names.entries()) {
      const value = float(values[column]);
      if (value === undefined) throw new ParseError(file, all[i + 1] as string);
      statistics.set(name, value);
    }
    protocols.set(label.slice(0, -1), statistics);
  }
  return protocols;
}

/** Parses `/proc/net/snmp6`: a name, which has its protocol in front (`Ip6InReceives`), and a value on each line. */
export function parseSnmp6(text: string): Map<string, Statistics> {
  const protocols = new Map<string, Statistics>();
  for (const line of lines(text)) {
    const [key = '', digits] = fields(line);
    const end = key.indexOf('6') + 1;
    if (digits === undefined || end === 0) continue;
    const value = float(digits);
    if (value === undefined) throw new ParseError('net/snmp6', line);
    const protocol = key.slice(0, end);
    const statistics = protocols.get(protocol) ?? new Map<string, number>();
    protocols.set(protocol, statistics.set(key.slice(end), value));
  }
  return protocols;
}

export default defineCollector({
  name: 'netstat',
  help: 'Exposes what the network protocols count.',
  enabled: true,
  reads: ['/proc/net/netstat', '/proc/net/snmp', '/proc/net/snmp6'],
  flags: {
    fields: flag.regexp(
      'collector.netstat.fields',
      'Statistics to tell, as a regular expression on <protocol>_<name>.',
      FIELDS,
    ),
  },
  metrics: {
    statistic: dynamic.untyped('node_netstat_<protocol>_<name>', 'What the kernel counts for <protocol> as <name>.'),
  },
  setup({ proc, flags }, metrics) {
    const told = (protocol: string, name: string): boolean => flags.fields?.test(`${protocol}_${name}`) ?? true;
    return (out) => {
      const snmp6 = optional(() => proc.read('net/snmp6'));
      const protocols = new Map([
        ...parseNetstat('net/netstat', proc.read('net/netstat')),
        ...parseNetstat('net/snmp', proc.read('net/snmp')),
        ...parseSnmp6(snmp6 ?? ''),
      ]);
      for (const [protocol, statistics] of protocols)
        for (const [name, value] of statistics)
          if (told(protocol, name)) out.sample(metrics.statistic.of(protocol, name), value);
    };
  },
});
