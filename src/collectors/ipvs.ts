import { defineCollector } from '../core/collector.ts';
import { NoDataError, optional, ParseError, UsageError } from '../core/errors.ts';
import { flag } from '../core/flag.ts';
import { hex } from '../core/hex.ts';
import { counter, type Family, gauge } from '../core/metric.ts';
import { fields, lines, uint } from '../core/text.ts';

export interface IpvsTotals {
  readonly connections: number;
  readonly incomingPackets: number;
  readonly outgoingPackets: number;
  readonly incomingBytes: number;
  readonly outgoingBytes: number;
}

/** Parses `/proc/net/ip_vs_stats`: two lines of headings, then the totals in hexadecimal. https://docs.kernel.org/networking/ipvs-sysctl.html */
export function parseIpvsTotals(text: string): IpvsTotals {
  const line = lines(text)[2] ?? '';
  const [connections, incomingPackets, outgoingPackets, incomingBytes, outgoingBytes, ...rest] = fields(line).map(hex);
  if (
    connections === undefined ||
    incomingPackets === undefined ||
    outgoingPackets === undefined ||
    incomingBytes === undefined ||
    outgoingBytes === undefined ||
    rest.length > 0
  )
    throw new ParseError('net/ip_vs_stats', line);
  return { connections, incomingPackets, outgoingPackets, incomingBytes, outgoingBytes };
}

const LABELS = ['local_address', 'local_port', 'remote_address', 'remote_port', 'proto', 'local_mark'] as const;
type Label = (typeof LABELS)[number];

/** A real server behind a virtual service. */
export interface IpvsBackend {
  readonly labels: Readonly<Record<Label, string>>;
  readonly weight: number;
  readonly active: number;
  readonly inactive: number;
}

const ENDPOINT = /^(?:([0-9A-Fa-f]{8})|\[([0-9A-Fa-f]{4}(?::[0-9A-Fa-f]{4}){7})\]):([0-9A-Fa-f]{4})$/;

/** Writes an IPv6 address, given as eight groups of hexadecimal digits, in the short form of RFC 5952. */
export function shortIpv6(address: string): string {
  const groups = address.split(':').map((group) => Number.parseInt(group, 16));
  if (groups.slice(0, 5).every((group) => group === 0) && groups[5] === 0xffff)
    return [6, 7].map((i) => `${(groups[i] as number) >> 8}.${(groups[i] as number) & 0xff}`).join('.');
  const text = groups.map((group) => group.toString(16)).join(':');
  const zeros = text.match(/\b0(?::0\b)+/g) ?? [];
  const longest = zeros.reduce((a, b) => (b.length > a.length ? b : a), '');
  if (longest === '') return text;
  const at = text.search(new RegExp(`\\b${longest}\\b`));
  return `${text.slice(0, at).replace(/:$/, '')}::${text.slice(at + longest.length).replace(/^:/, '')}`;
}

/** An address and a port as the kernel writes them, `C0A80016:0CEA` or `[2001:…]:0050`, for labels. */
function parseEndpoint(text: string | undefined, line: string): readonly [address: string, port: string] {
  const [, v4, v6, port] = ENDPOINT.exec(text ?? '') ?? [];
  if (port === undefined) throw new ParseError('net/ip_vs', line);
  const address = v4 === undefined ? shortIpv6(v6 as string) : [...Buffer.from(v4, 'hex')].join('.');
  return [address, String(Number.parseInt(port, 16))];
}

type Service = Pick<IpvsBackend['labels'], 'local_address' | 'local_port' | 'proto' | 'local_mark'>;

function parseService([proto = '', endpoint]: readonly string[], line: string): Service {
  if (proto === 'FWM') {
    if (hex(endpoint) === undefined) throw new ParseError('net/ip_vs', line);
    return { proto, local_address: '', local_port: '0', local_mark: endpoint as string };
  }
  const [address, port] = parseEndpoint(endpoint, line);
  return { proto, local_address: address, local_port: port, local_mark: '' };
}

/** Parses `/proc/net/ip_vs`: three lines of headings, then services, each with its real servers below it. */
export function parseIpvsBackends(text: string): IpvsBackend[] {
  const backends: IpvsBackend[] = [];
  let service: Service | undefined;
  for (const line of lines(text)) {
    const columns = fields(line);
    const [first, second, , ...numbers] = columns;
    if (first === undefined || first === 'IP' || first === 'Prot' || second === 'RemoteAddress:Port') continue;
    if (first !== '->') {
      service = parseService(columns, line);
      continue;
    }
    const [weight, active, inactive] = numbers.map(uint);
    if (service === undefined || weight === undefined || active === undefined || inactive === undefined)
      throw new ParseError('net/ip_vs', line);
    const [address, port] = parseEndpoint(second, line);
    backends.push({ labels: { ...service, remote_address: address, remote_port: port }, weight, active, inactive });
  }
  return backends;
}

interface Sum {
  readonly values: readonly string[];
  weight: number;
  active: number;
  inactive: number;
}

/** Adds up the servers that share the values of `labels`. */
function sumBy(labels: readonly Label[], backends: readonly IpvsBackend[]): Iterable<Sum> {
  const sums = new Map<string, Sum>();
  for (const backend of backends) {
    const values = labels.map((label) => backend.labels[label]);
    const key = values.join('\0');
    const sum = sums.get(key) ?? { values, weight: 0, active: 0, inactive: 0 };
    sums.set(key, sum);
    sum.weight += backend.weight;
    sum.active += backend.active;
    sum.inactive += backend.inactive;
  }
  return sums.values();
}

function chosenLabels(text: string): readonly Label[] {
  const asked = text.split(',').filter((label) => label !== '');
  const unknown = asked.find((label) => !LABELS.some((known) => known === label));
  if (unknown !== undefined)
    throw new UsageError(`--collector.ipvs.backend-labels: unknown label ${JSON.stringify(unknown)}`);
  return LABELS.filter((label) => asked.includes(label));
}

export default defineCollector({
  name: 'ipvs',
  help: 'Exposes what IP Virtual Server balances, and among which servers.',
  enabled: true,
  reads: ['/proc/net/ip_vs_stats', '/proc/net/ip_vs'],
  flags: {
    labels: flag.text(
      'collector.ipvs.backend-labels',
      'Labels of the real servers, separated by commas; servers that share their values are added up.',
      LABELS.join(','),
    ),
  },
  metrics: {
    connections: counter('node_ipvs_connections_total', 'Connections that were given a real server.'),
    incomingPackets: counter('node_ipvs_incoming_packets_total', 'Packets from clients to real servers.'),
    outgoingPackets: counter(
      'node_ipvs_outgoing_packets_total',
      'Packets from real servers to clients, where these come through here.',
    ),
    incomingBytes: counter('node_ipvs_incoming_bytes_total', 'Bytes from clients to real servers.'),
    outgoingBytes: counter(
      'node_ipvs_outgoing_bytes_total',
      'Bytes from real servers to clients, where these come through here.',
    ),
    active: gauge('node_ipvs_backend_connections_active', 'Active connections to the real server.', ...LABELS),
    inactive: gauge('node_ipvs_backend_connections_inactive', 'Inactive connections to the real server.', ...LABELS),
    weight: gauge('node_ipvs_backend_weight', 'Weight of the real server.', ...LABELS),
  },
  setup({ proc, flags }, metrics) {
    const labels = chosenLabels(flags.labels);
    const narrowed = ({ name, help }: Family): Family => gauge(name, help, ...labels);
    const [active, inactive, weight] = [metrics.active, metrics.inactive, metrics.weight].map(narrowed) as [
      Family,
      Family,
      Family,
    ];
    return (out) => {
      // The module may be unloaded, so nothing is kept open.
      const totals = optional(() => proc.readOnce('net/ip_vs_stats'));
      if (totals === undefined) throw new NoDataError('there is no IP Virtual Server on this machine');
      const { connections, incomingPackets, outgoingPackets, incomingBytes, outgoingBytes } = parseIpvsTotals(totals);
      out.sample(metrics.connections, connections);
      out.sample(metrics.incomingPackets, incomingPackets);
      out.sample(metrics.outgoingPackets, outgoingPackets);
      out.sample(metrics.incomingBytes, incomingBytes);
      out.sample(metrics.outgoingBytes, outgoingBytes);
      for (const sum of sumBy(labels, parseIpvsBackends(proc.readOnce('net/ip_vs')))) {
        out.row(active, sum.active, sum.values);
        out.row(inactive, sum.inactive, sum.values);
        out.row(weight, sum.weight, sum.values);
      }
    };
  },
});
