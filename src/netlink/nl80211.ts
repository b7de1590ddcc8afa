import type { DumpRequest } from '../core/network.ts';
import {
  bytesOf,
  encodeU32,
  hardwareAddressOf,
  i8Of,
  needBytes,
  refuse,
  textOf,
  u16Of,
  u32Of,
  u64Of,
  walkAttributes,
  walkNested,
} from './attributes.ts';
import { GENERIC_HEAD_BYTES, genericRequest } from './genetlink.ts';

/**
 * Wireless devices: `include/uapi/linux/nl80211.h`. What parses a message takes the bytes of `view` from `start` to `end`,
 * without the head of netlink. What the kernel does not say of a thing is missing.
 */

export const NL80211 = 'nl80211';

const GET_INTERFACE = 5;
const GET_STATION = 17;
const GET_SCAN = 32;

const ATTR_IFINDEX = 3;
const ATTR_IFNAME = 4;
const ATTR_MAC = 6;
const ATTR_STA_INFO = 21;
const ATTR_WIPHY_FREQ = 38;
const ATTR_BSS = 47;

const BSS_BSSID = 1;
const BSS_INFORMATION_ELEMENTS = 6;
const BSS_STATUS = 9;
/** IEEE 802.11, 9.4.2.2: the element that holds the name of a network. */
const ELEMENT_SSID = 0;

const RATE_BITRATE = 1;
const RATE_BITRATE32 = 5;
const BITRATE_UNIT_BITS = 100_000;

/** The wireless devices. `family` is the number that the kernel gave to nl80211. */
export const allInterfaces = (family: number): DumpRequest => genericRequest(family, GET_INTERFACE);
/** What the device with this index has heard of. */
export const networksOf = (family: number, index: number): DumpRequest =>
  genericRequest(family, GET_SCAN, encodeU32(ATTR_IFINDEX, index));
/** Who talks with the device with this index. */
export const stationsOf = (family: number, index: number): DumpRequest =>
  genericRequest(family, GET_STATION, encodeU32(ATTR_IFINDEX, index));

export interface WirelessInterface {
  readonly index: number;
  readonly device: string;
  readonly frequencyMhz: number | undefined;
}

/** Reads a wireless device; `undefined` for one that is no network device, such as one for P2P. */
export function parseInterface(view: DataView, start: number, end: number): WirelessInterface | undefined {
  needBytes(start, end, GENERIC_HEAD_BYTES);
  let [index, device] = [0, ''];
  let frequencyMhz: number | undefined;
  walkAttributes(view, start + GENERIC_HEAD_BYTES, end, (type, at) => {
    if (type === ATTR_IFINDEX) index = u32Of(view, at);
    else if (type === ATTR_IFNAME) device = textOf(view, at);
    else if (type === ATTR_WIPHY_FREQ) frequencyMhz = u32Of(view, at);
  });
  return device === '' || index === 0 ? undefined : { index, device, frequencyMhz };
}

export interface Network {
  readonly bssid: string;
  readonly ssid: string;
  readonly mode: 'client' | 'ad-hoc' | 'unknown';
}

/** NL80211_BSS_STATUS_*: authenticated, associated, joined. */
const MODES = ['client', 'client', 'ad-hoc'] as const;

function ssidOf(elements: Buffer): string {
  for (let at = 0; at + 2 <= elements.length; ) {
    const [id, length] = [elements[at], elements[at + 1] as number];
    if (id === ELEMENT_SSID) return elements.toString('utf8', at + 2, at + 2 + length);
    at += 2 + length;
  }
  return '';
}

/** Reads the network that the device belongs to; `undefined` for one that it has only heard of. */
export function parseNetwork(view: DataView, start: number, end: number): Network | undefined {
  needBytes(start, end, GENERIC_HEAD_BYTES);
  let [bssid, ssid] = ['', ''];
  let status: number | undefined;
  walkAttributes(view, start + GENERIC_HEAD_BYTES, end, (outer, bss) => {
    if (outer !== ATTR_BSS) return;
    walkNested(view, bss, (type, at) => {
      if (type === BSS_BSSID) bssid = hardwareAddressOf(view, at);
      else if (type === BSS_INFORMATION_ELEMENTS) ssid = ssidOf(bytesOf(view, at));
      else if (type === BSS_STATUS) status = u32Of(view, at);
    });
  });
  return status === undefined ? undefined : { bssid, ssid, mode: MODES[status] ?? 'unknown' };
}

export interface StationNumbers {
  connectedSeconds?: number;
  inactiveMs?: number;
  receiveBitsPerSecond?: number;
  transmitBitsPerSecond?: number;
  receiveBytes?: number;
  transmitBytes?: number;
  receivePackets?: number;
  transmitPackets?: number;
  signalDbm?: number;
  transmitRetries?: number;
  transmitFailed?: number;
  beaconLoss?: number;
}

export interface Station extends StationNumbers {
  readonly address: string;
}

function bitsPerSecond(view: DataView, rate: number): number {
  let [narrow, wide] = [0, 0];
  walkNested(view, rate, (type, at) => {
    if (type === RATE_BITRATE) narrow = u16Of(view, at);
    else if (type === RATE_BITRATE32) wide = u32Of(view, at);
  });
  return (wide === 0 ? narrow : wide) * BITRATE_UNIT_BITS;
}

type Read = (view: DataView, at: number) => number;

/** NL80211_STA_INFO_*, in the order in which one takes the place of another: counters of 64 bits come last. */
const STATION_NUMBERS: ReadonlyMap<number, readonly [keyof StationNumbers, Read]> = new Map([
  [1, ['inactiveMs', u32Of]],
  [2, ['receiveBytes', u32Of]],
  [3, ['transmitBytes', u32Of]],
  [7, ['signalDbm', i8Of]],
  [8, ['transmitBitsPerSecond', bitsPerSecond]],
  [9, ['receivePackets', u32Of]],
  [10, ['transmitPackets', u32Of]],
  [11, ['transmitRetries', u32Of]],
  [12, ['transmitFailed', u32Of]],
  [14, ['receiveBitsPerSecond', bitsPerSecond]],
  [16, ['connectedSeconds', u32Of]],
  [18, ['beaconLoss', u32Of]],
  [23, ['receiveBytes', u64Of]],
  [24, ['transmitBytes', u64Of]],
]);

/** Reads who talks with a device. */
export function parseStation(view: DataView, start: number, end: number): Station {
  needBytes(start, end, GENERIC_HEAD_BYTES);
  let address = '';
  const values = new Map<number, number>();
  walkAttributes(view, start + GENERIC_HEAD_BYTES, end, (outer, attribute) => {
    if (outer === ATTR_MAC) address = hardwareAddressOf(view, attribute);
    if (outer !== ATTR_STA_INFO) return;
    walkNested(view, attribute, (type, at) => {
      const value = STATION_NUMBERS.get(type)?.[1](view, at);
      if (value !== undefined) values.set(type, value);
    });
  });
  if (address === '') refuse('a station without an address', start);
  const numbers: StationNumbers = {};
  for (const [type, [name]] of STATION_NUMBERS) {
    const value = values.get(type);
    if (value !== undefined) numbers[name] = value;
  }
  return { address, ...numbers };
}
