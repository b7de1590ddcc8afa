import { nothing } from '../core/absent.ts';
import { defineCollector } from '../core/collector.ts';
import { flag } from '../core/flag.ts';
import type { Line, Lines } from '../core/host.ts';
import { dynamic } from '../core/metric.ts';
import type { LayoutWriter } from '../core/writer.ts';

const FIELDS =
  '^(.*_(InErrors|InErrs)|Ip_Forwarding|Ip(6|Ext)_(InOctets|OutOctets)|Icmp6?_(InMsgs|OutMsgs)|TcpExt_(Listen.*|Syncookies.*|TCPSynRetrans|TCPTimeouts|TCPOFOQueue|TCPRcvQDrop)|Tcp_(ActiveOpens|InSegs|OutSegs|OutRsts|PassiveOpens|RetransSegs|CurrEstab)|Udp6?_(InDatagrams|OutDatagrams|NoPorts|RcvbufErrors|SndbufErrors))$';

/** The protocol ends with its `6`. */
export function splitSnmp6(name: string): [protocol: string, statistic: string] {
  const end = name.indexOf('6') + 1;
  return [name.slice(0, end), name.slice(end)];
}

export default defineCollector({
  name: 'netstat',
  help: 'Exposes what the network protocols count.',
  enabled: true,
  reads: ['/proc/net/netstat', '/proc/net/snmp', '/proc/net/snmp6'],
  flags: {
    fields: flag.regexp(
      'collector.netstat.fields',
      'Statistics to report, as a regular expression on <protocol>_<name>.',
      FIELDS,
    ),
  },
  metrics: {
    statistic: dynamic.untyped('node_netstat_<protocol>_<name>', 'What the kernel counts for <protocol> as <name>.'),
  },
  setup({ proc, flags }, metrics) {
    const isWanted = (protocol: string, name: string): boolean => flags.fields?.test(`${protocol}_${name}`) ?? true;
    /** A line of names above one of values. */
    const writePair = (names: Line, values: Line | undefined, out: LayoutWriter): void => {
      const label = names.word(0);
      if (values === undefined) throw names.fault();
      if (!label.endsWith(':') || values.length !== names.length) throw values.fault();
      const protocol = label.slice(0, -1);
      for (let i = 1; i < names.length; i += 1) {
        const name = names.word(i);
        if (isWanted(protocol, name)) out.sample(metrics.statistic.of(protocol, name), values.number(i));
      }
    };
    /** https://docs.kernel.org/networking/snmp_counter.html */
    const pairs = (lines: Lines, out: LayoutWriter): void => {
      for (let i = 0; i < lines.length; i += 1) {
        const [names, values] = [lines.at(i) as Line, lines.at(i + 1)];
        // A line without the other of its pair costs itself alone.
        const isPair = values?.find(0) === names.find(0);
        lines.one(isPair ? (values as Line) : names, () => writePair(names, isPair ? values : undefined, out));
        if (isPair) i += 1;
      }
    };
    const snmp6 = (line: Line, out: LayoutWriter): void => {
      const name = line.find(0) ?? '';
      if (!name.includes('6')) return;
      const [protocol, statistic] = splitSnmp6(name);
      if (isWanted(protocol, statistic)) out.sample(metrics.statistic.of(protocol, statistic), line.number(1));
    };
    return [
      proc.table('net/netstat', pairs),
      proc.table('net/snmp', pairs),
      proc.lineTable('net/snmp6', snmp6, { ifAbsent: nothing }),
    ];
  },
});
