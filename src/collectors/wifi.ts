import { defineCollector } from '../core/collector.ts';
import { alone, eachOf } from '../core/each.ts';
import { NoDataError, optional, UsageError } from '../core/errors.ts';
import { flag } from '../core/flag.ts';
import { counter, gauge } from '../core/metric.ts';
import type { Dumps } from '../core/network.ts';
import type { Writer } from '../core/writer.ts';
import { findFamily } from '../netlink/genetlink.ts';
import {
  allInterfaces,
  NL80211,
  networksOf,
  parseInterface,
  parseNetwork,
  parseStation,
  stationsOf,
  type WirelessInterface,
} from '../netlink/nl80211.ts';
import { NETLINK_GENERIC } from '../netlink/protocols.ts';

const FIXTURES = 'collector.wifi.fixtures';
const HERTZ_PER_MHZ = 1_000_000;
const MS_PER_SECOND = 1000;

const metrics = {
  frequency: gauge('node_wifi_interface_frequency_hertz', 'Frequency that the device is tuned to.', 'device'),
  info: gauge(
    'node_wifi_station_info',
    'The network that the device belongs to, in labels; always 1.',
    ...(['device', 'bssid', 'ssid', 'mode'] as const),
  ),
  connected: counter(
    'node_wifi_station_connected_seconds_total',
    'How long the station has been connected.',
    'device',
    'mac_address',
  ),
  inactive: gauge(
    'node_wifi_station_inactive_seconds',
    'How long nothing has come from the station.',
    'device',
    'mac_address',
  ),
  receiveRate: gauge(
    'node_wifi_station_receive_bits_per_second',
    'Bit rate of what comes from the station.',
    'device',
    'mac_address',
  ),
  transmitRate: gauge(
    'node_wifi_station_transmit_bits_per_second',
    'Bit rate of what goes to the station.',
    'device',
    'mac_address',
  ),
  receiveBytes: counter('node_wifi_station_receive_bytes_total', 'Bytes from the station.', 'device', 'mac_address'),
  transmitBytes: counter('node_wifi_station_transmit_bytes_total', 'Bytes to the station.', 'device', 'mac_address'),
  receivePackets: counter(
    'node_wifi_station_received_packets_total',
    'Packets from the station.',
    'device',
    'mac_address',
  ),
  transmitPackets: counter(
    'node_wifi_station_transmitted_packets_total',
    'Packets to the station.',
    'device',
    'mac_address',
  ),
  signal: gauge(
    'node_wifi_station_signal_dbm',
    'Strength of the last signal from the station.',
    'device',
    'mac_address',
  ),
  retries: counter(
    'node_wifi_station_transmit_retries_total',
    'Packets that were sent to the station again.',
    'device',
    'mac_address',
  ),
  failed: counter(
    'node_wifi_station_transmit_failed_total',
    'Packets that did not reach the station.',
    'device',
    'mac_address',
  ),
  beaconLoss: counter(
    'node_wifi_station_beacon_loss_total',
    'Times that beacons of the station were missed.',
    'device',
    'mac_address',
  ),
} as const;

/** What is known of a station, where it goes, and what it is divided by. */
const STATION = [
  ['connectedSeconds', metrics.connected, 1],
  ['inactiveMs', metrics.inactive, MS_PER_SECOND],
  ['receiveBitsPerSecond', metrics.receiveRate, 1],
  ['transmitBitsPerSecond', metrics.transmitRate, 1],
  ['receiveBytes', metrics.receiveBytes, 1],
  ['transmitBytes', metrics.transmitBytes, 1],
  ['receivePackets', metrics.receivePackets, 1],
  ['transmitPackets', metrics.transmitPackets, 1],
  ['signalDbm', metrics.signal, 1],
  ['transmitRetries', metrics.retries, 1],
  ['transmitFailed', metrics.failed, 1],
  ['beaconLoss', metrics.beaconLoss, 1],
] as const;

/** A device of a kind that has no networks or stations, or that is gone. Node's name for EOPNOTSUPP is ENOTSUP. */
const NOTHING = ['ENOTSUP', 'ENOENT', 'ENODEV'] as const;

function writeDevice(kernel: Dumps, family: number, wireless: WirelessInterface, out: Writer): void {
  const { index, device, frequencyMhz } = wireless;
  if (frequencyMhz !== undefined) out.sample(metrics.frequency, frequencyMhz * HERTZ_PER_MHZ, device);
  const networks = optional(() => kernel.dump(networksOf(family, index), parseNetwork), NOTHING) ?? [];
  for (const { bssid, ssid, mode } of networks.slice(0, 1)) out.sample(metrics.info, 1, device, bssid, ssid, mode);
  const stations = optional(() => kernel.dump(stationsOf(family, index), parseStation), NOTHING) ?? [];
  for (const station of stations)
    for (const [name, metric, divisor] of STATION) {
      const value = station[name];
      if (value !== undefined) out.sample(metric, value / divisor, device, station.address);
    }
}

/** The number of nl80211, looked up at each scrape: it is another one when its module is loaded anew. */
function familyOf(kernel: Dumps): number {
  const family = optional(() => findFamily(kernel, NL80211), ['EPERM']);
  if (family === undefined)
    throw new NoDataError('the kernel has no nl80211: no wireless device, or none for this process');
  return family;
}

export default defineCollector({
  name: 'wifi',
  help: 'Exposes wireless devices, the networks they belong to, and the stations they talk with.',
  enabled: false,
  reads: ['netlink:CTRL_CMD_GETFAMILY', 'netlink:NL80211_CMD_GET_{INTERFACE,SCAN,STATION}'],
  flags: {
    fixtures: flag.text(
      FIXTURES,
      'A hook for tests of the reference, which Keyhole does not have: it refuses a value.',
    ),
  },
  metrics,
  needs: () => ({ sockets: [{ family: 'netlink', protocol: NETLINK_GENERIC }] }),
  setup({ network: { generic: kernel }, flags: { fixtures } }) {
    if (fixtures !== '')
      throw new UsageError(`--${FIXTURES} is for tests of node_exporter: Keyhole asks the kernel only`);
    return (out, turn) => {
      const family = familyOf(kernel);
      const devices = kernel.dump(allInterfaces(family), parseInterface);
      return eachOf(
        devices,
        turn,
        alone<WirelessInterface>(out, (each) => writeDevice(kernel, family, each, out)),
      );
    };
  },
});
