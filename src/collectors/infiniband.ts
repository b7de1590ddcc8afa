import { noData } from '../core/absent.ts';
import { defineCollector } from '../core/collector.ts';
import { ParseError } from '../core/errors.ts';
import { flag } from '../core/flag.ts';
import type { Device } from '../core/host.ts';
import { counter, type Family, gauge } from '../core/metric.ts';
import { passes } from '../core/pattern.ts';
import { float, uint } from '../core/text.ts';
import { MS_OF_SECOND } from '../core/units.ts';
import type { LayoutWriter } from '../core/writer.ts';

/** What the kernel writes for a counter that the port does not have. */
const NOT_COUNTED = 'N/A (no PMA)';

const WORD_BYTES = 4;
/** All 64 bits set, which some drivers write, is read as this number. */
const FULL_WORD = 2 ** 64;
const BYTES_PER_GIGABIT = 125_000_000;

/** Bytes of so many words in 64 bits, as the reference counts them. */
const bytesOf = (words: number): number => (words === FULL_WORD ? FULL_WORD : (words * WORD_BYTES) % FULL_WORD);

type PortFamily = Family<readonly ['device', 'port']>;

const count = (name: string, help: string): PortFamily =>
  counter(`node_infiniband_${name}_total`, help, 'device', 'port');
const state = (name: string, help: string): PortFamily => gauge(`node_infiniband_${name}`, help, 'device', 'port');

/** The counters of `counters_ext`, which older drivers have, by file. */
const legacy = {
  port_multicast_rcv_packets: count('legacy_multicast_packets_received', 'Multicast packets received, old counter.'),
  port_multicast_xmit_packets: count('legacy_multicast_packets_transmitted', 'Multicast packets sent, old counter.'),
  port_rcv_data_64: count('legacy_data_received_bytes', 'Bytes received, old counter.'),
  port_rcv_packets_64: count('legacy_packets_received', 'Packets received, old counter.'),
  port_unicast_rcv_packets: count('legacy_unicast_packets_received', 'Unicast packets received, old counter.'),
  port_unicast_xmit_packets: count('legacy_unicast_packets_transmitted', 'Unicast packets sent, old counter.'),
  port_xmit_data_64: count('legacy_data_transmitted_bytes', 'Bytes sent, old counter.'),
  port_xmit_packets_64: count('legacy_packets_transmitted', 'Packets sent, old counter.'),
} as const;

/** The counters of `counters`, which the InfiniBand standard defines, by file. */
const standard = {
  excessive_buffer_overrun_errors: count(
    'excessive_buffer_overrun_errors',
    'Buffer overruns in a row, above the limit.',
  ),
  link_downed: count('link_downed', 'Times that the link went down after its recovery failed.'),
  link_error_recovery: count('link_error_recovery', 'Times that the link recovered from an error.'),
  local_link_integrity_errors: count(
    'local_link_integrity_errors',
    'Times that local physical errors passed the limit.',
  ),
  multicast_rcv_packets: count('multicast_packets_received', 'Multicast packets received, with those in error.'),
  multicast_xmit_packets: count('multicast_packets_transmitted', 'Multicast packets sent, with those in error.'),
  port_rcv_constraint_errors: count(
    'port_constraint_errors_received',
    'Packets received and dropped by the switch port.',
  ),
  port_xmit_constraint_errors: count(
    'port_constraint_errors_transmitted',
    'Packets that the switch port did not send.',
  ),
  port_rcv_data: count('port_data_received_bytes', 'Bytes received.'),
  port_xmit_data: count('port_data_transmitted_bytes', 'Bytes sent.'),
  port_rcv_discards: count('port_discards_received', 'Packets received and dropped as the port was down or full.'),
  port_xmit_discards: count('port_discards_transmitted', 'Packets not sent as the port was down or full.'),
  port_rcv_errors: count('port_errors_received', 'Packets received with an error.'),
  port_rcv_packets: count('port_packets_received', 'Packets received on all virtual lanes, with those in error.'),
  port_xmit_packets: count('port_packets_transmitted', 'Packets sent on all virtual lanes, with those in error.'),
  port_xmit_wait: count('port_transmit_wait', 'Ticks in which there was data and none could be sent.'),
  unicast_rcv_packets: count('unicast_packets_received', 'Unicast packets received, with those in error.'),
  unicast_xmit_packets: count('unicast_packets_transmitted', 'Unicast packets sent, with those in error.'),
  port_rcv_remote_physical_errors: count('port_receive_remote_physical_errors', 'Packets marked bad by the far end.'),
  port_rcv_switch_relay_errors: count('port_receive_switch_relay_errors', 'Packets that the switch could not forward.'),
  symbol_error: count('symbol_error', 'Small errors of the link.'),
  VL15_dropped: count('vl15_dropped', 'Management packets dropped for want of room.'),
} as const;

/** The counters of `hw_counters`, the driver's own, by file. */
const hardware = {
  duplicate_request: count('duplicate_requests_packets', 'Requests received again.'),
  implied_nak_seq_err: count('implied_nak_seq_errors', 'Acknowledgements that implied a refusal.'),
  local_ack_timeout_err: count('local_ack_timeout_errors', 'Acknowledgements that did not come in time.'),
  np_cnp_sent: count('np_cnp_packets_sent', 'Congestion notifications sent.'),
  np_ecn_marked_roce_packets: count(
    'np_ecn_marked_roce_packets_received',
    'RoCE packets received with a congestion mark.',
  ),
  out_of_buffer: count('out_of_buffer_drops', 'Packets dropped for want of a receive buffer.'),
  out_of_sequence: count('out_of_sequence_packets_received', 'Packets received out of order.'),
  packet_seq_err: count('packet_sequence_errors', 'Refusals received for packets out of order.'),
  req_cqe_error: count('req_cqes_errors', 'Requests completed with an error.'),
  req_cqe_flush_error: count('req_cqes_flush_errors', 'Requests completed as flushed.'),
  req_remote_access_errors: count('req_remote_access_errors', 'Access errors that the far end found in requests.'),
  req_remote_invalid_request: count('req_remote_invalid_request_errors', 'Requests that the far end found invalid.'),
  resp_cqe_error: count('resp_cqes_errors', 'Responses completed with an error.'),
  resp_cqe_flush_error: count('resp_cqes_flush_errors', 'Responses completed as flushed.'),
  resp_local_length_error: count('resp_local_length_errors', 'Requests received with a wrong length.'),
  resp_remote_access_errors: count('resp_remote_access_errors', 'Requests received without the right to access.'),
  rnr_nak_retry_err: count('rnr_nak_retry_packets_received', 'Refusals received as the far end was not ready.'),
  roce_adp_retrans: count('roce_adp_retransmits', 'Adaptive retransmissions of RoCE traffic.'),
  roce_adp_retrans_to: count('roce_adp_retransmits_timeout', 'Time-outs of RoCE traffic by adaptive retransmission.'),
  roce_slow_restart: count('roce_slow_restart_used', 'Uses of RoCE slow restart.'),
  roce_slow_restart_cnps: count('roce_slow_restart_cnps', 'Congestion notifications made by RoCE slow restart.'),
  roce_slow_restart_trans: count('roce_slow_restart', 'Changes of state to RoCE slow restart.'),
  rp_cnp_handled: count('rp_cnp_packets_handled', 'Congestion notifications heeded.'),
  rp_cnp_ignored: count('rp_cnp_ignored_packets_received', 'Congestion notifications ignored.'),
  rx_atomic_requests: count('rx_atomic_requests', 'Atomic requests received.'),
  rx_dct_connect: count('rx_dct_connect_requests', 'Connect requests received for dynamic transports.'),
  rx_read_requests: count('rx_read_requests', 'Read requests received.'),
  rx_write_requests: count('rx_write_requests', 'Write requests received.'),
  rx_icrc_encapsulated: count('rx_icrc_encapsulated_errors', 'RoCE packets received with a wrong checksum.'),
} as const;

const metrics = {
  info: gauge(
    'node_infiniband_info',
    'What the device is; the value is always 1.',
    'device',
    'board_id',
    'firmware_version',
    'hca_type',
  ),
  state: state(
    'state_id',
    'How far the port has come up: 1 down, 2 initialising, 3 armed, 4 active, 5 active deferred; 0 unchanged.',
  ),
  physical: state(
    'physical_state_id',
    'What the link does: 1 sleeps, 2 polls, 3 is disabled, 4 trains, 5 is up, 6 recovers, 7 is under test; 0 unchanged.',
  ),
  rate: state('rate_bytes_per_second', 'Most that the link can carry.'),
  lifespan: state('lifespan_seconds', 'How long the driver keeps hardware counters before it reads them again.'),
  ...legacy,
  ...standard,
  ...hardware,
} as const;

const GROUPS: readonly (readonly [folder: string, families: Readonly<Record<string, PortFamily>>])[] = [
  ['counters', standard],
  ['counters_ext', legacy],
  ['hw_counters', hardware],
];
const IN_WORDS = new Set(['port_rcv_data', 'port_xmit_data', 'port_rcv_data_64', 'port_xmit_data_64']);

/** Parses `state` or `phys_state`: `4: ACTIVE`. https://docs.kernel.org/admin-guide/abi-stable.html (class/infiniband) */
export function parseState(text: string, file: string): number {
  const id = text.includes(':') ? uint(text.slice(0, text.indexOf(':')).trim()) : undefined;
  if (id === undefined) throw new ParseError(file, text);
  return id;
}

/** Parses `rate`, `100 Gb/sec (4X EDR)`, in bytes per second. Computed in single precision, as the reference does. */
export function parseRate(text: string, file: string): number {
  const blank = text.indexOf(' ');
  const gigabits = blank < 0 ? undefined : float(text.slice(0, blank));
  if (gigabits === undefined) throw new ParseError(file, text);
  return Math.trunc(Math.fround(gigabits) * BYTES_PER_GIGABIT);
}

/** What `parse` makes of an attribute; one that it cannot read costs itself alone. */
function parsedOr<T>(
  out: LayoutWriter,
  port: Device,
  name: string,
  parse: (text: string, file: string) => T,
): T | undefined {
  const text = port.word(name);
  try {
    return text === undefined ? undefined : parse(text, `${port.path}/${name}`);
  } catch (error) {
    out.fault(error);
    return undefined;
  }
}

function writePort(port: Device, device: string, out: LayoutWriter): void {
  const labels = [device, port.id] as const;
  out.sample(metrics.state, parsedOr(out, port, 'state', parseState), ...labels);
  out.sample(metrics.physical, parsedOr(out, port, 'phys_state', parseState), ...labels);
  out.sample(metrics.rate, parsedOr(out, port, 'rate', parseRate), ...labels);
  for (const [folder, families] of GROUPS) {
    for (const file of port.list(folder)) {
      const family = Object.hasOwn(families, file) ? families[file] : undefined;
      if (family === undefined) continue;
      const value = port.auto(`${folder}/${file}`, NOT_COUNTED);
      out.sample(family, IN_WORDS.has(file) ? value?.map(bytesOf) : value, ...labels);
    }
  }
  const lifespan = port.auto('hw_counters/lifespan', NOT_COUNTED);
  out.sample(metrics.lifespan, lifespan?.over(MS_OF_SECOND).map(Math.trunc), ...labels);
}

export default defineCollector({
  name: 'infiniband',
  help: 'Exposes InfiniBand and RoCE devices, the state of their ports and their counters.',
  enabled: true,
  reads: [
    '/sys/class/infiniband/<device>/{fw_ver,board_id,hca_type}',
    '/sys/class/infiniband/<device>/ports/<port>/{state,phys_state,rate}',
    '/sys/class/infiniband/<device>/ports/<port>/{counters,counters_ext,hw_counters}/*',
  ],
  flags: {
    include: flag.regexp('collector.infiniband.device-include', 'Devices to take.'),
    exclude: flag.regexp('collector.infiniband.device-exclude', 'Devices to leave out.'),
  },
  metrics,
  setup({ sys, flags: { include, exclude } }) {
    return sys.devices(
      'class/infiniband',
      /./,
      (device, out) => {
        const ports = device.list('ports');
        if (!passes(device.id, include, exclude)) return;
        const [board, firmware, type] = ['board_id', 'fw_ver', 'hca_type'].map((file) => device.fixed(file) ?? '');
        out.sample(metrics.info, 1, device.id, board as string, firmware as string, type as string);
        for (const port of ports) writePort(device.inside(`ports/${port}`), device.id, out);
      },
      { ifAbsent: noData('no InfiniBand device') },
    );
  },
});
