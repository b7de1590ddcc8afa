import { ParseError } from '../core/errors.ts';
import { formatAddress } from '../core/ip_address.ts';
import type { Message } from '../core/network.ts';
import type { Reading } from '../core/reading.ts';
import {
  attributeAfter,
  attributeType,
  bytesOf,
  needBytes,
  refuse,
  textOf,
  valueEnd,
  valueStart,
  walkAttributes,
} from './attributes.ts';

/**
 * Messages of rtnetlink: `include/uapi/linux/rtnetlink.h`, `if_link.h`, `if_addr.h`, `neighbour.h`. What parses one takes the
 * bytes of `view` from `start` to `end`, without the message's head. https://man7.org/linux/man-pages/man7/rtnetlink.7.html
 */

const AF_INET = 2;
const AF_INET6 = 10;
/** struct ifinfomsg: family, padding, type (u16), index (s32), flags (u32), change (u32). */
export const LINK_HEAD_BYTES = 16;
/** struct ifaddrmsg: family, prefix length, flags, scope, index (u32). */
export const ADDRESS_HEAD_BYTES = 8;
/** struct ndmsg: family, padding (3), index (s32), state (u16), flags, type. */
export const NEIGHBOUR_HEAD_BYTES = 12;

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

/** Where a counter is among `LINK_COUNTERS`. Kernels before 4.6 have no rx_nohandler, which is the last. */
export const counterIndex = (name: LinkCounter): number => LINK_COUNTERS.indexOf(name);

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

/** Attributes of a link, by name. */
export const LINK = {
  address: 1,
  broadcast: 2,
  mtu: IFLA_MTU,
  link: IFLA_LINK,
  txQueueLength: IFLA_TXQLEN,
  linkMode: IFLA_LINKMODE,
  group: IFLA_GROUP,
  promiscuity: 30,
  carrier: IFLA_CARRIER,
  carrierChanges: IFLA_CARRIER_CHANGES,
  carrierUp: IFLA_CARRIER_UP_COUNT,
  carrierDown: IFLA_CARRIER_DOWN_COUNT,
  allMulticast: 61,
} as const;

/** Where numbers stand in `struct ifinfomsg`. */
export const LINK_HEAD = { type: 2, index: 4, flags: 8 } as const;

/** The name of the device that a link is about. */
export function nameOf(link: Message): string {
  const name = link.text(IFLA_IFNAME);
  if (name === undefined || name === '') throw new ParseError('netlink', 'a device without a name');
  return name;
}

export const aliasOf = (link: Message): string => link.text(IFLA_IFALIAS) ?? '';

/** IF_OPER_* of `include/uapi/linux/if.h`. */
const OPERSTATES = ['unknown', 'notpresent', 'down', 'lowerlayerdown', 'testing', 'dormant', 'up'] as const;

/** By the names that `/sys/class/net/<device>/operstate` has. */
export const operstateOf = (link: Message): string => OPERSTATES[link.u8Word(IFLA_OPERSTATE) ?? 0] ?? 'unknown';

/** A hardware address, in hexadecimal with colons; empty where the device has none. */
export const addressOf = (link: Message, type: number): string =>
  (link.bytes(type)?.toString('hex') ?? '').replace(/..(?=.)/g, '$&:');

/** Other names of the device. */
export function altNamesOf(link: Message): string[] {
  const list = link.bytes(IFLA_PROP_LIST);
  const names: string[] = [];
  if (list === undefined) return names;
  const view = new DataView(list.buffer, list.byteOffset, list.length);
  walkAttributes(view, 0, list.length, (type, at) => {
    if (type === IFLA_ALT_IFNAME) names.push(textOf(view, at));
  });
  return names;
}

/** A counter by its place among `LINK_COUNTERS`, 64 bits wide where the kernel gives that; `undefined` where it has none. */
export const counterOf = (link: Message, place: number): Reading | undefined =>
  link.u64At(IFLA_STATS64, place) ?? link.u32At(IFLA_STATS, place);

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
