import { formatAddress } from '../core/ip_address.ts';
import {
  attributeAfter,
  attributeType,
  bytesOf,
  hardwareAddressOf,
  needBytes,
  refuse,
  textOf,
  u8Of,
  u32Of,
  u64At,
  valueEnd,
  valueStart,
} from './attributes.ts';

/**
 * Messages of rtnetlink: `include/uapi/linux/rtnetlink.h`, `if_link.h`, `if_addr.h`, `neighbour.h`. What parses one takes the
 * bytes of `view` from `start` to `end`, without the message's head. https://man7.org/linux/man-pages/man7/rtnetlink.7.html
 */

const AF_INET = 2;
const AF_INET6 = 10;
/** struct ifinfomsg: family, padding, type (u16), index (s32), flags (u32), change (u32). */
const LINK_HEAD_BYTES = 16;
/** struct ifaddrmsg: family, prefix length, flags, scope, index (u32). */
const ADDRESS_HEAD_BYTES = 8;
/** struct ndmsg: family, padding (3), index (s32), state (u16), flags, type. */
const NEIGHBOUR_HEAD_BYTES = 12;

/** RTM_GETLINK for every device. */
export const ALL_LINKS = { type: 18, reply: 16, body: new Uint8Array(LINK_HEAD_BYTES) } as const;
/** RTM_GETADDR for every address. */
export const ALL_ADDRESSES = { type: 22, reply: 20, body: new Uint8Array(ADDRESS_HEAD_BYTES) } as const;
/** RTM_GETNEIGH for every neighbour by IPv4. */
export const IPV4_NEIGHBOURS = {
  type: 30,
  reply: 28,
  body: Uint8Array.of(AF_INET, ...new Uint8Array(NEIGHBOUR_HEAD_BYTES - 1)),
} as const;

/** struct rtnl_link_stats64, by the names that the files of `/sys/class/net/<device>/statistics` have. */
export const LINK_COUNTERS = [
  'rx_packets',
  'tx_packets',
  'rx_bytes',
  'tx_bytes',
  'rx_errors',
  'tx_errors',
  'rx_dropped',
  'tx_dropped',
  'multicast',
  'collisions',
  'rx_length_errors',
  'rx_over_errors',
  'rx_crc_errors',
  'rx_frame_errors',
  'rx_fifo_errors',
  'rx_missed_errors',
  'tx_aborted_errors',
  'tx_carrier_errors',
  'tx_fifo_errors',
  'tx_heartbeat_errors',
  'tx_window_errors',
  'rx_compressed',
  'tx_compressed',
  'rx_nohandler',
] as const;

export type LinkCounter = (typeof LINK_COUNTERS)[number];

/** Where a counter is among `Link.counters`. */
export const counterIndex = (name: LinkCounter): number => LINK_COUNTERS.indexOf(name);

/** Kernels before 4.6 have no rx_nohandler; newer ones have more than what is named above. */
const COUNTERS_LEAST = LINK_COUNTERS.length - 1;

const IFLA_ADDRESS = 1;
const IFLA_BROADCAST = 2;
const IFLA_IFNAME = 3;
const IFLA_MTU = 4;
const IFLA_LINK = 5;
const IFLA_STATS = 7;
const IFLA_TXQLEN = 13;
const IFLA_OPERSTATE = 16;
const IFLA_LINKMODE = 17;
const IFLA_IFALIAS = 20;
const IFLA_STATS64 = 23;
const IFLA_GROUP = 27;
const IFLA_CARRIER = 33;
const IFLA_CARRIER_CHANGES = 35;
const IFLA_CARRIER_UP_COUNT = 47;
const IFLA_CARRIER_DOWN_COUNT = 48;
const IFLA_PROP_LIST = 52;
const IFLA_ALT_IFNAME = 53;
const IFA_ADDRESS = 1;
const IFA_LOCAL = 2;

/** The counters of the attribute at `at`, each `width` bytes wide, in the order of `LINK_COUNTERS`; newer ones are left out. */
function countersOf(view: DataView, at: number, width: 4 | 8): number[] {
  const [start, end] = [valueStart(at), valueEnd(view, at)];
  needBytes(start, end, COUNTERS_LEAST * width);
  const count = Math.min(LINK_COUNTERS.length, Math.trunc((end - start) / width));
  const counters: number[] = [];
  for (let i = 0; i < count; i += 1)
    counters.push(width === 8 ? u64At(view, start + 8 * i) : view.getUint32(start + 4 * i, true));
  return counters;
}

export interface LinkCounters {
  readonly device: string;
  /** In the order of `LINK_COUNTERS`, the last of which old kernels lack. Missing where the device has none. */
  readonly counters: readonly number[] | undefined;
}

/** Reads of a device what its counters say, and nothing else: this runs for thousands of devices at every scrape. */
export function parseLinkCounters(view: DataView, start: number, end: number): LinkCounters {
  needBytes(start, end, LINK_HEAD_BYTES);
  let device: string | undefined;
  let [wide, narrow] = [0, 0];
  for (let at = start + LINK_HEAD_BYTES, after = at; at < end; at = after) {
    after = attributeAfter(view, at, end);
    const type = attributeType(view, at);
    if (type === IFLA_IFNAME) device = textOf(view, at);
    else if (type === IFLA_STATS64) wide = at;
    else if (type === IFLA_STATS) narrow = at;
  }
  if (device === undefined) refuse('a device without a name', start);
  const counters = wide !== 0 ? countersOf(view, wide, 8) : narrow !== 0 ? countersOf(view, narrow, 4) : undefined;
  return { device, counters };
}

/** What the kernel says of a device in numbers. */
export interface LinkNumbers {
  mtuBytes?: number;
  /** The index of the device below this one. */
  link?: number;
  txQueueLength?: number;
  linkMode?: number;
  group?: number;
  carrier?: number;
  carrierChanges?: number;
  carrierUp?: number;
  carrierDown?: number;
}

/** A network device. What the kernel did not say is missing, or an empty text. */
export interface Link extends LinkNumbers {
  device: string;
  readonly index: number;
  /** Kind of hardware: ARPHRD_* of `include/uapi/linux/if_arp.h`. */
  readonly type: number;
  /** IFF_* of `include/uapi/linux/if.h`. */
  readonly flags: number;
  /** Hardware addresses, in hexadecimal with colons. */
  address: string;
  broadcast: string;
  alias: string;
  readonly altNames: string[];
  /** By the names that `/sys/class/net/<device>/operstate` has. */
  operstate: string;
  /** In the order of `LINK_COUNTERS`. */
  counters?: readonly number[];
}

/** IF_OPER_* of `include/uapi/linux/if.h`. */
const OPERSTATES = ['unknown', 'notpresent', 'down', 'lowerlayerdown', 'testing', 'dormant', 'up'] as const;

function addAltNames(names: string[], view: DataView, list: number): void {
  const end = valueEnd(view, list);
  for (let at = valueStart(list), after = at; at < end; at = after) {
    after = attributeAfter(view, at, end);
    if (attributeType(view, at) === IFLA_ALT_IFNAME) names.push(textOf(view, at));
  }
}

type Read<T> = (view: DataView, at: number) => T;

const NUMBERS: ReadonlyMap<number, readonly [keyof LinkNumbers, Read<number>]> = new Map([
  [IFLA_MTU, ['mtuBytes', u32Of]],
  [IFLA_LINK, ['link', u32Of]],
  [IFLA_TXQLEN, ['txQueueLength', u32Of]],
  [IFLA_LINKMODE, ['linkMode', u8Of]],
  [IFLA_GROUP, ['group', u32Of]],
  [IFLA_CARRIER, ['carrier', u8Of]],
  [IFLA_CARRIER_CHANGES, ['carrierChanges', u32Of]],
  [IFLA_CARRIER_UP_COUNT, ['carrierUp', u32Of]],
  [IFLA_CARRIER_DOWN_COUNT, ['carrierDown', u32Of]],
]);

const TEXTS: ReadonlyMap<number, readonly ['device' | 'address' | 'broadcast' | 'alias', Read<string>]> = new Map([
  [IFLA_IFNAME, ['device', textOf]],
  [IFLA_ADDRESS, ['address', hardwareAddressOf]],
  [IFLA_BROADCAST, ['broadcast', hardwareAddressOf]],
  [IFLA_IFALIAS, ['alias', textOf]],
]);

function takeAttribute(link: Link, view: DataView, at: number): void {
  const type = attributeType(view, at);
  const number = NUMBERS.get(type);
  const text = TEXTS.get(type);
  if (number !== undefined) link[number[0]] = number[1](view, at);
  else if (text !== undefined) link[text[0]] = text[1](view, at);
  else if (type === IFLA_OPERSTATE) link.operstate = OPERSTATES[u8Of(view, at)] ?? 'unknown';
  else if (type === IFLA_PROP_LIST) addAltNames(link.altNames, view, at);
  else if (type === IFLA_STATS64) link.counters = countersOf(view, at, 8);
}

/** Reads what is known of a device. */
export function parseLink(view: DataView, start: number, end: number): Link {
  needBytes(start, end, LINK_HEAD_BYTES);
  const link: Link = {
    device: '',
    type: view.getUint16(start + 2, true),
    index: view.getInt32(start + 4, true),
    flags: view.getUint32(start + 8, true),
    address: '',
    broadcast: '',
    alias: '',
    altNames: [],
    operstate: '',
  };
  for (let at = start + LINK_HEAD_BYTES, after = at; at < end; at = after) {
    after = attributeAfter(view, at, end);
    takeAttribute(link, view, at);
  }
  if (link.device === '') refuse('a device without a name', start);
  return link;
}

export interface DeviceAddress {
  /** Of the device. */
  readonly index: number;
  readonly address: string;
  readonly prefixLength: number;
}

/** Reads an address of a device; `undefined` for what is neither IPv4 nor IPv6. */
export function parseDeviceAddress(view: DataView, start: number, end: number): DeviceAddress | undefined {
  needBytes(start, end, ADDRESS_HEAD_BYTES);
  const family = view.getUint8(start);
  if (family !== AF_INET && family !== AF_INET6) return undefined;
  let [own, peer] = [0, 0];
  for (let at = start + ADDRESS_HEAD_BYTES, after = at; at < end; at = after) {
    after = attributeAfter(view, at, end);
    const type = attributeType(view, at);
    if (type === IFA_LOCAL) own = at;
    else if (type === IFA_ADDRESS) peer = at;
  }
  // Of a link between two the address is the other's; elsewhere it is this machine's, said once or twice.
  const at = own !== 0 ? own : peer;
  if (at === 0) return undefined;
  const address = formatAddress(bytesOf(view, at));
  if (address === undefined || address.includes(':') !== (family === AF_INET6))
    refuse(`an address of ${valueEnd(view, at) - valueStart(at)} bytes`, at);
  return { index: view.getUint32(start + 4, true), address, prefixLength: view.getUint8(start + 1) };
}

export interface Neighbour {
  /** Of the device. */
  readonly index: number;
  /** NUD_* bits of `include/uapi/linux/neighbour.h`. */
  readonly state: number;
}

/** Reads a neighbour by IPv4; `undefined` for another. */
export function parseIpv4Neighbour(view: DataView, start: number, end: number): Neighbour | undefined {
  needBytes(start, end, NEIGHBOUR_HEAD_BYTES);
  if (view.getUint8(start) !== AF_INET) return undefined;
  return { index: view.getInt32(start + 4, true), state: view.getUint16(start + 8, true) };
}
