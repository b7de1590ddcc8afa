import { defineCollector } from '../core/collector.ts';
import { optional, ParseError } from '../core/errors.ts';
import { flag } from '../core/flag.ts';
import { dynamic } from '../core/metric.ts';
import { fields, float, lines } from '../core/text.ts';
import { type NameValue, nameValueReader } from '../parse/name_values.ts';

/** What one protocol counts, by the kernel's names. */
export type Statistics = Map<string, number>;

const FIELDS =
  '^(.*_(InErrors|InErrs)|Ip_Forwarding|Ip(6|Ext)_(InOctets|OutOctets)|Icmp6?_(InMsgs|OutMsgs)|TcpExt_(Listen.*|Syncookies.*|TCPSynRetrans|TCPTimeouts|TCPOFOQueue|TCPRcvQDrop)|Tcp_(ActiveOpens|InSegs|OutSegs|OutRsts|PassiveOpens|RetransSegs|CurrEstab)|Udp6?_(InDatagrams|OutDatagrams|NoPorts|RcvbufErrors|SndbufErrors))$';

/** Whether a statistic is wanted. */
type Told = (protocol: string, name: string) => boolean;

/** What a line of names says: it is the same at every scrape, and so read once. */
interface Heading {
  readonly label: string;
  readonly count: number;
  readonly wanted: readonly { readonly name: string; readonly column: number }[];
}

function parseHeading(line: string, told: Told): Heading | undefined {
  const [label = '', ...names] = fields(line);
  if (!label.endsWith(':')) return undefined;
  const wanted = names.map((name, i) => ({ name, column: i + 1 })).filter(({ name }) => told(label.slice(0, -1), name));
  return { label, count: names.length, wanted };
}

/**
 * Makes a parser of `/proc/net/netstat` and `/proc/net/snmp`: pairs of lines, names above values. Every value must be a
 * number, wanted or not. https://docs.kernel.org/networking/snmp_counter.html
 */
export function netstatParser(file: string, told: Told): (text: string) => Map<string, Statistics> {
  let headings = new Map<string, Heading | undefined>();
  return (text) => {
    const protocols = new Map<string, Statistics>();
    const seen: typeof headings = new Map();
    const all = lines(text);
    for (let i = 0; i < all.length; i += 2) {
      const names = all[i] as string;
      const values = fields(all[i + 1] ?? '');
      const heading = headings.get(names) ?? parseHeading(names, told);
      if (heading === undefined || values[0] !== heading.label || values.length !== heading.count + 1)
        throw new ParseError(file, all[i + 1] ?? names);
      const numbers = values.map(float);
      if (numbers.indexOf(undefined, 1) >= 0) throw new ParseError(file, all[i + 1] as string);
      seen.set(names, heading);
      const statistics: Statistics = new Map();
      for (const { name, column } of heading.wanted) statistics.set(name, numbers[column] as number);
      protocols.set(heading.label.slice(0, -1), statistics);
    }
    headings = seen;
    return protocols;
  };
}

/**
 * Parses a line of `/proc/net/snmp6`: a name, which has its protocol in front (`Ip6InReceives`), and a value. What has neither is
 * passed over.
 */
export function parseSnmp6Line(line: string): NameValue | undefined {
  const [name = '', digits] = fields(line);
  if (digits === undefined || !name.includes('6')) return undefined;
  const value = float(digits);
  if (value === undefined) throw new ParseError('net/snmp6', line);
  return { name, value };
}

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
      'Statistics to tell, as a regular expression on <protocol>_<name>.',
      FIELDS,
    ),
  },
  metrics: {
    statistic: dynamic.untyped('node_netstat_<protocol>_<name>', 'What the kernel counts for <protocol> as <name>.'),
  },
  setup({ proc, flags }, metrics) {
    const told = (protocol: string, name: string): boolean => flags.fields?.test(`${protocol}_${name}`) ?? true;
    const parseExtended = netstatParser('net/netstat', told);
    const parseBasic = netstatParser('net/snmp', told);
    const readSnmp6 = nameValueReader(parseSnmp6Line, (name) => told(...splitSnmp6(name)));
    return (out) => {
      const tell = (protocol: string, name: string, value: number): void =>
        out.sample(metrics.statistic.of(protocol, name), value);
      const snmp6 = optional(() => proc.read('net/snmp6'));
      const protocols = new Map([...parseExtended(proc.read('net/netstat')), ...parseBasic(proc.read('net/snmp'))]);
      for (const [protocol, statistics] of protocols)
        for (const [name, value] of statistics) tell(protocol, name, value);
      readSnmp6(snmp6 ?? '', (name, value) => tell(...splitSnmp6(name), value));
    };
  },
});
