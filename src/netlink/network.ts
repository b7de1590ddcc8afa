import type { Network } from '../core/network.ts';
import { SyscallError } from '../syscall/libc.ts';
import { allLinkModes } from './ethtool.ts';
import { findFamily, GENERIC_HEAD_BYTES } from './genetlink.ts';
import { createMessages, type MessageClock } from './messages.ts';
import { isClosed, type Netlink, openNetlink } from './netlink.ts';
import { NETLINK_GENERIC, NETLINK_ROUTE, NETLINK_SOCK_DIAG } from './protocols.ts';
import {
  ADDRESS_HEAD_BYTES,
  ALL_ADDRESSES,
  ALL_LINKS,
  IPV4_NEIGHBOURS,
  LINK_HEAD_BYTES,
  NEIGHBOUR_HEAD_BYTES,
} from './rtnetlink.ts';

const ENOENT = 2;

/** Opens nothing before the first question. `open` gives the way to the kernel for a protocol. */
export function openNetwork(clock: MessageClock, open: (protocol: number) => Netlink = openNetlink): Network {
  const route = open(NETLINK_ROUTE);
  const generic = open(NETLINK_GENERIC);
  let ethtool: number | undefined;
  const askModes = (): readonly [Netlink, ReturnType<typeof allLinkModes>] => {
    ethtool ??= findFamily(generic, 'ethtool');
    if (ethtool === undefined) throw new SyscallError('ethtool', ENOENT);
    return [generic, allLinkModes(ethtool)];
  };
  return {
    links: createMessages(clock, LINK_HEAD_BYTES, () => [route, ALL_LINKS]),
    addresses: createMessages(clock, ADDRESS_HEAD_BYTES, () => [route, ALL_ADDRESSES]),
    neighbours: createMessages(clock, NEIGHBOUR_HEAD_BYTES, () => [route, IPV4_NEIGHBOURS]),
    linkModes: createMessages(clock, GENERIC_HEAD_BYTES, askModes),
    route,
    generic,
    sockets: open(NETLINK_SOCK_DIAG),
    deviceName: (index) => route.deviceName(index),
    isClosed,
  };
}
