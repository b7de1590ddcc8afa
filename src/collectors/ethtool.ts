import { defineCollector } from '../core/collector.ts';
import { alone, eachOf } from '../core/each.ts';
import { NOTHING, NoDataError, optional } from '../core/errors.ts';
import { flag } from '../core/flag.ts';
import { dynamic, type Family, gauge, untyped } from '../core/metric.ts';
import { type Pattern, passes } from '../core/pattern.ts';
import type { DriverInfo, LinkSettings } from '../core/system.ts';
import { decodeName } from '../core/utf8.ts';
import type { Writer } from '../core/writer.ts';
import { NETLINK_ROUTE } from '../netlink/protocols.ts';
import {
  ASYMMETRIC_PAUSE_BIT,
  AUTONEGOTIATION_BIT,
  hasBit,
  PAUSE_BIT,
  portsIn,
  speedsIn,
} from '../parse/link_modes.ts';

/** 1000 * 1000 / 8. */
const MEGABIT_BYTES = 125_000;

const metrics = {
  info: gauge(
    'node_ethtool_info',
    'What is known of the device and its driver, in labels; always 1.',
    ...(['bus_info', 'device', 'driver', 'expansion_rom_version', 'firmware_version', 'version'] as const),
  ),
  port: gauge(
    'node_network_supported_port_info',
    'A kind of connector that the device can have; always 1.',
    'device',
    'type',
  ),
  supportedSpeed: gauge(
    'node_network_supported_speed_bytes',
    'A speed that the device is capable of, in bytes per second.',
    'device',
    'duplex',
    'mode',
  ),
  advertisedSpeed: gauge(
    'node_network_advertised_speed_bytes',
    'A speed that the device offers to its partner, in bytes per second.',
    'device',
    'duplex',
    'mode',
  ),
  autonegotiate: gauge('node_network_autonegotiate', 'Whether the device negotiates with its partner.', 'device'),
  autonegotiateSupported: gauge(
    'node_network_autonegotiate_supported',
    'Whether the device can negotiate with its partner.',
    'device',
  ),
  autonegotiateAdvertised: gauge(
    'node_network_autonegotiate_advertised',
    'Whether the device offers its partner to negotiate.',
    'device',
  ),
  pauseSupported: gauge('node_network_pause_supported', 'Whether the device knows pause frames.', 'device'),
  pauseAdvertised: gauge('node_network_pause_advertised', 'Whether the device offers pause frames.', 'device'),
  asymmetricSupported: gauge(
    'node_network_asymmetricpause_supported',
    'Whether the device knows pause frames in one direction.',
    'device',
  ),
  asymmetricAdvertised: gauge(
    'node_network_asymmetricpause_advertised',
    'Whether the device offers pause frames in one direction.',
    'device',
  ),
  receivedBytes: untyped('node_ethtool_received_bytes_total', 'Bytes received, as the driver counts them.', 'device'),
  receivedDropped: untyped(
    'node_ethtool_received_dropped_total',
    'Frames received and dropped, as the driver counts them.',
    'device',
  ),
  receivedErrors: untyped(
    'node_ethtool_received_errors_total',
    'Frames received with errors, as the driver counts them.',
    'device',
  ),
  receivedPackets: untyped(
    'node_ethtool_received_packets_total',
    'Frames received, as the driver counts them.',
    'device',
  ),
  transmittedBytes: untyped('node_ethtool_transmitted_bytes_total', 'Bytes sent, as the driver counts them.', 'device'),
  transmittedErrors: untyped(
    'node_ethtool_transmitted_errors_total',
    'Frames not sent because of errors, as the driver counts them.',
    'device',
  ),
  transmittedPackets: untyped(
    'node_ethtool_transmitted_packets_total',
    'Frames sent, as the driver counts them.',
    'device',
  ),
  statistic: dynamic.untyped('node_ethtool_<name>', 'What the driver counts as <name>.', 'device'),
} as const;

type DeviceFamily = Family<readonly ['device']>;

/** Statistics whose families have a suffix that others have not. */
const WELL_KNOWN: ReadonlyMap<string, DeviceFamily> = new Map([
  ['rx_bytes', metrics.receivedBytes],
  ['rx_dropped', metrics.receivedDropped],
  ['rx_errors', metrics.receivedErrors],
  ['rx_packets', metrics.receivedPackets],
  ['tx_bytes', metrics.transmittedBytes],
  ['tx_errors', metrics.transmittedErrors],
  ['tx_packets', metrics.transmittedPackets],
]);

/** A statistic's name in the characters that a family's name can have. */
export const cleanedName = (name: string): string => name.replace(/_*[^0-9A-Za-z_]+_*/g, '_');

/** What stands for a statistic's cleaned name in the name of its family. */
export const familyName = (cleaned: string): string =>
  cleaned
    .toLowerCase()
    .replace(/^_+/, '')
    .replace(/(^|_)rx(_|$)/g, '$1received$2')
    .replace(/(^|_)tx(_|$)/g, '$1transmitted$2');

/** Which statistic goes to which family. Those whose names become the same go nowhere: none of them is the right one. */
function planOf(names: readonly string[], include: Pattern | undefined): (readonly [place: number, DeviceFamily])[] {
  // Of a name that comes twice the last one counts.
  const places = new Map(names.map((name, place) => [name, place]));
  const taken = new Map<string, (readonly [place: number, cleaned: string])[]>();
  for (const [name, place] of places) {
    const cleaned = cleanedName(name);
    const key = familyName(cleaned);
    if (key !== '' && passes(cleaned, include, undefined))
      taken.set(key, [...(taken.get(key) ?? []), [place, cleaned]]);
  }
  return [...taken].flatMap(([key, [first, second]]) =>
    first === undefined || second !== undefined
      ? []
      : [[first[0], WELL_KNOWN.get(first[1]) ?? metrics.statistic.of(key)] as const],
  );
}

function writeLink(device: string, { autonegotiation, supported, advertised }: LinkSettings, out: Writer): void {
  const bit = (mask: Uint8Array, place: number): number => (hasBit(mask, place) ? 1 : 0);
  for (const type of portsIn(supported)) out.sample(metrics.port, 1, device, type);
  for (const { megabits, duplex, mode } of speedsIn(supported))
    out.sample(metrics.supportedSpeed, megabits * MEGABIT_BYTES, device, duplex, mode);
  for (const { megabits, duplex, mode } of speedsIn(advertised))
    out.sample(metrics.advertisedSpeed, megabits * MEGABIT_BYTES, device, duplex, mode);
  out.sample(metrics.autonegotiate, autonegotiation, device);
  out.sample(metrics.autonegotiateSupported, bit(supported, AUTONEGOTIATION_BIT), device);
  out.sample(metrics.autonegotiateAdvertised, bit(advertised, AUTONEGOTIATION_BIT), device);
  out.sample(metrics.pauseSupported, bit(supported, PAUSE_BIT), device);
  out.sample(metrics.pauseAdvertised, bit(advertised, PAUSE_BIT), device);
  out.sample(metrics.asymmetricSupported, bit(supported, ASYMMETRIC_PAUSE_BIT), device);
  out.sample(metrics.asymmetricAdvertised, bit(advertised, ASYMMETRIC_PAUSE_BIT), device);
}

function writeDriver(device: string, driver: DriverInfo, out: Writer): void {
  const { busInfo, romVersion, firmwareVersion, version } = driver;
  out.row(metrics.info, 1, [busInfo, device, driver.driver, romVersion, firmwareVersion, version]);
}

export default defineCollector({
  name: 'ethtool',
  help: 'Exposes what network drivers report of their devices: links, versions and counters of their own.',
  enabled: false,
  reads: ['/sys/class/net', 'syscall:ethtool'],
  flags: {
    include: flag.regexp('collector.ethtool.device-include', 'Network devices to report (RE2).'),
    exclude: flag.regexp('collector.ethtool.device-exclude', 'Network devices to leave out (RE2).'),
    metricsInclude: flag.regexp(
      'collector.ethtool.metrics-include',
      'Statistics to report, by their cleaned names (RE2).',
      '.*',
    ),
  },
  metrics,
  // Any socket will do for asking a driver; this one is allowed in most units of systemd.
  needs: () => ({ sockets: [{ family: 'netlink', protocol: NETLINK_ROUTE }] }),
  setup({ sys, system: { ethtool: drivers }, flags: { include, exclude, metricsInclude } }) {
    const folder = sys.folder('class/net');
    /** A driver may know its link and not its name, or the other way round. */
    const ask = <T>(question: () => T): T | undefined => optional(question, NOTHING);
    const plans = new WeakMap<readonly string[], ReturnType<typeof planOf>>();
    const writeStatistics = (name: string, count: number, out: Writer): void => {
      const found = ask(() => drivers.statistics(name, count));
      if (found === undefined) return;
      const { names, values } = found;
      const plan = plans.get(names) ?? planOf(names, metricsInclude);
      plans.set(names, plan);
      for (const [place, family] of plan) out.sample(family, values[place] as number, decodeName(name));
    };
    return (out, turn) => {
      const devices = folder.tryNames();
      if (devices.length === 0) throw new NoDataError('there is no list of network devices');
      const wanted = devices.filter((device) => passes(decodeName(device), include, exclude));
      const write = alone<string>(out, (name) => {
        const device = decodeName(name);
        const link = ask(() => drivers.link(name));
        if (link !== undefined) writeLink(device, link, out);
        const driver = ask(() => drivers.driver(name));
        if (driver === undefined) return;
        writeDriver(device, driver, out);
        writeStatistics(name, driver.statistics, out);
      });
      return eachOf(wanted, turn, write);
    };
  },
});
