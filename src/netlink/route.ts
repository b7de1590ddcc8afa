import { formatAddress } from '../core/ip_address.ts';
import type { DumpRequest } from '../core/network.ts';
import {
  attributeAfter,
  attributeType,
  bytesOf,
  needBytes,
  refuse,
  u32Of,
  valueEnd,
  valueStart,
  walkAttributes,
} from './attributes.ts';

/**
 * Routes, as rtnetlink lists them: `include/uapi/linux/rtnetlink.h`. What parses a message takes the bytes of `view` from
 * `start` to `end`, without the message's head. https://man7.org/linux/man-pages/man7/rtnetlink.7.html
 */

/** struct rtmsg: family, lengths of destination and source, TOS, table, protocol, scope, type (a byte each), flags (u32). */
const ROUTE_HEAD_BYTES = 12;
/** struct rtnexthop: length (u16), flags, hops, index (s32). Attributes follow. */
const HOP_HEAD_BYTES = 8;

const AF_INET = 2;
const AF_INET6 = 10;
const RTN_UNICAST = 1;
const RTA_DST = 1;
const RTA_OIF = 4;
const RTA_GATEWAY = 5;
const RTA_PRIORITY = 6;
const RTA_PREFSRC = 7;
const RTA_MULTIPATH = 9;
const RTA_VIA = 18;
/** struct rtvia: the family (u16) before the address. */
const VIA_HEAD_BYTES = 2;

/** RTM_GETROUTE for every route of every family in every table. */
export const ALL_ROUTES: DumpRequest = { type: 26, reply: 24, body: new Uint8Array(ROUTE_HEAD_BYTES) };

/** RTPROT_*: who made a route. */
const PROTOCOLS: ReadonlyMap<number, string> = new Map([
  [0, 'unspec'],
  [1, 'redirect'],
  [2, 'kernel'],
  [3, 'boot'],
  [4, 'static'],
  [8, 'gated'],
  [9, 'ra'],
  [10, 'mrt'],
  [11, 'zebra'],
  [12, 'bird'],
  [13, 'dnrouted'],
  [14, 'xorp'],
  [15, 'ntk'],
  [16, 'dhcp'],
  [17, 'mrouted'],
  [42, 'babel'],
  [186, 'bgp'],
  [187, 'isis'],
  [188, 'ospf'],
  [189, 'rip'],
  [192, 'eigrp'],
]);

export interface Hop {
  /** Of the device; 0 where the route names none. */
  readonly index: number;
  /** The empty text where the destination is on the link. */
  readonly gateway: string;
  /** Missing where the route has one way only. */
  readonly weight: number | undefined;
}

/** A unicast route by IPv4 or IPv6. */
export interface Route {
  /** With its prefix length; `default` where every address matches. */
  readonly destination: string;
  /** The empty text where the kernel chooses. */
  readonly source: string;
  readonly priority: number;
  /** `unknown` where the number has no name. */
  readonly protocol: string;
  readonly hops: readonly Hop[];
}

function addressOf(view: DataView, at: number, skipBytes = 0): string {
  const bytes = bytesOf(view, at).subarray(skipBytes);
  return formatAddress(bytes) ?? refuse(`an address of ${bytes.length} bytes`, at);
}

/** The gateway in an attribute, if there is one in it. A route by IPv4 may have one by IPv6. */
function gatewayOf(view: DataView, type: number, at: number): string | undefined {
  if (type === RTA_GATEWAY) return addressOf(view, at);
  return type === RTA_VIA ? addressOf(view, at, VIA_HEAD_BYTES) : undefined;
}

function hopsOf(view: DataView, multipath: number): Hop[] {
  const hops: Hop[] = [];
  const end = valueEnd(view, multipath);
  for (let at = valueStart(multipath); at < end; ) {
    needBytes(at, end, HOP_HEAD_BYTES);
    const length = view.getUint16(at, true);
    if (length < HOP_HEAD_BYTES || length > end - at) refuse(`a hop of ${length} bytes in ${end - at}`, at);
    let gateway = '';
    walkAttributes(view, at + HOP_HEAD_BYTES, at + length, (type, attribute) => {
      gateway = gatewayOf(view, type, attribute) ?? gateway;
    });
    hops.push({ index: view.getInt32(at + 4, true), gateway, weight: view.getUint8(at + 3) + 1 });
    at += (length + 3) & ~3;
  }
  return hops;
}

/** Reads a route; `undefined` for one that is not unicast, or neither of IPv4 nor of IPv6. */
export function parseRoute(view: DataView, start: number, end: number): Route | undefined {
  needBytes(start, end, ROUTE_HEAD_BYTES);
  const family = view.getUint8(start);
  if (view.getUint8(start + 7) !== RTN_UNICAST || (family !== AF_INET && family !== AF_INET6)) return undefined;
  let [destination, source, gateway] = ['default', '', ''];
  let [index, priority] = [0, 0];
  let hops: readonly Hop[] = [];
  for (let at = start + ROUTE_HEAD_BYTES, after = at; at < end; at = after) {
    after = attributeAfter(view, at, end);
    const type = attributeType(view, at);
    if (type === RTA_DST) destination = `${addressOf(view, at)}/${view.getUint8(start + 1)}`;
    else if (type === RTA_PREFSRC) source = addressOf(view, at);
    else if (type === RTA_OIF) index = u32Of(view, at);
    else if (type === RTA_PRIORITY) priority = u32Of(view, at);
    else if (type === RTA_MULTIPATH) hops = hopsOf(view, at);
    else gateway = gatewayOf(view, type, at) ?? gateway;
  }
  if (hops.length === 0) hops = [{ index, gateway, weight: undefined }];
  return { destination, source, priority, protocol: PROTOCOLS.get(view.getUint8(start + 5)) ?? 'unknown', hops };
}
