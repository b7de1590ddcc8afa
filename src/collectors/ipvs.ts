import { noData, nothing } from '../core/absent.ts';
import { defineCollector } from '../core/collector.ts';
import { ParseError, UsageError } from '../core/errors.ts';
import { flag } from '../core/flag.ts';
import { hex } from '../core/hex.ts';
import type { Lines } from '../core/host.ts';
import { formatAddress } from '../core/ip_address.ts';
import { counter, type Family, gauge } from '../core/metric.ts';
import { type Reading, sumOf } from '../core/reading.ts';

const LABELS = ['local_address', 'local_port', 'remote_address', 'remote_port', 'proto', 'local_mark'] as const;
type Label = (typeof LABELS)[number];

/** A real server behind a virtual service. */
export interface IpvsBackend {
  readonly labels: Readonly<Record<Label, string>>;
  readonly weight: Reading;
  readonly active: Reading;
  readonly inactive: Reading;
}

const ENDPOINT = /^(?:([0-9A-Fa-f]{8})|\[([0-9A-Fa-f]{4}(?::[0-9A-Fa-f]{4}){7})\]):([0-9A-Fa-f]{4})$/;

const MAPPED = /^0{20}ffff(?=.)/i;

/** An address and a port as the kernel writes them, `C0A80016:0CEA` or `[2001:…]:0050`, for labels. */
function parseEndpoint(text: string | undefined, fault: () => ParseError): readonly [address: string, port: string] {
  const [, v4, v6, port] = ENDPOINT.exec(text ?? '') ?? [];
  if (port === undefined) throw fault();
  const digits = (v4 ?? (v6 as string)).replaceAll(':', '');
  // An address of IPv4 within IPv6 is written as the former, as the reference does.
  const address = formatAddress(Buffer.from(digits.replace(MAPPED, ''), 'hex'));
  return [address as string, String(Number.parseInt(port, 16))];
}

type Service = Pick<IpvsBackend['labels'], 'local_address' | 'local_port' | 'proto' | 'local_mark'>;

function parseService([proto, endpoint]: readonly [string, string], fault: () => ParseError): Service {
  if (proto === 'FWM') {
    if (hex(endpoint) === undefined) throw fault();
    return { proto, local_address: '', local_port: '0', local_mark: endpoint };
  }
  const [address, port] = parseEndpoint(endpoint, fault);
  return { proto, local_address: address, local_port: port, local_mark: '' };
}

/** Reads `/proc/net/ip_vs`: three lines of headings, then services, each with its real servers below it. */
function backendsOf(lines: Lines): IpvsBackend[] {
  const backends: IpvsBackend[] = [];
  let service: Service | undefined;
  lines.each((line) => {
    const [first, second] = [line.find(0), line.find(1)];
    if (first === undefined || first === 'IP' || first === 'Prot' || second === 'RemoteAddress:Port') return;
    if (first !== '->') {
      service = undefined;
      service = parseService([first, second ?? ''], line.fault.bind(line));
      return;
    }
    if (service === undefined) throw line.fault();
    const [address, port] = parseEndpoint(second, line.fault.bind(line));
    const labels = { ...service, remote_address: address, remote_port: port };
    backends.push({ labels, weight: line.uint(3), active: line.uint(4), inactive: line.uint(5) });
  });
  return backends;
}

/** The servers that share the values of `labels`. */
function groupBy(labels: readonly Label[], backends: readonly IpvsBackend[]): Iterable<readonly IpvsBackend[]> {
  return Map.groupBy(backends, (backend) => labels.map((label) => backend.labels[label]).join('\0')).values();
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
    const totals = [
      metrics.connections,
      metrics.incomingPackets,
      metrics.outgoingPackets,
      metrics.incomingBytes,
      metrics.outgoingBytes,
    ] as const;
    return [
      /** Two lines of headings, then the totals in hexadecimal. https://docs.kernel.org/networking/ipvs-sysctl.html */
      proc.table(
        'net/ip_vs_stats',
        (lines, out) => {
          const line = lines.at(2);
          if (line === undefined) throw new ParseError('net/ip_vs_stats', lines.at(0)?.rest(0) ?? '');
          if (line.length !== totals.length) throw line.fault();
          for (const [column, family] of totals.entries()) out.sample(family, line.hex(column));
        },
        { ifAbsent: noData('there is no IP Virtual Server on this machine') },
      ),
      proc.table(
        'net/ip_vs',
        (lines, out) => {
          for (const group of groupBy(labels, backendsOf(lines))) {
            const values = labels.map((label) => (group[0] as IpvsBackend).labels[label]);
            out.row(active, sumOf(group.map((each) => each.active)), values);
            out.row(inactive, sumOf(group.map((each) => each.inactive)), values);
            out.row(weight, sumOf(group.map((each) => each.weight)), values);
          }
        },
        { ifAbsent: nothing },
      ),
    ];
  },
});
