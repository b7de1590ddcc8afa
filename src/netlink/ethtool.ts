import {
  attributeAfter,
  attributeType,
  encodeU32,
  needBytes,
  refuse,
  textOf,
  u8Of,
  u32Of,
  valueEnd,
  valueStart,
} from './attributes.ts';
import { GENERIC_HEAD_BYTES, genericRequest } from './genetlink.ts';
import type { DumpRequest } from './netlink.ts';

/**
 * Messages of ethtool over generic netlink: `include/uapi/linux/ethtool_netlink.h`. What parses one takes the bytes of `view`
 * from `start` to `end`, without the head of netlink. https://docs.kernel.org/networking/ethtool-netlink.html
 */

const ETHTOOL_MSG_LINKMODES_GET = 4;
const ETHTOOL_A_LINKMODES_HEADER = 1;
const ETHTOOL_A_LINKMODES_SPEED = 5;
const ETHTOOL_A_LINKMODES_DUPLEX = 6;
const ETHTOOL_A_HEADER_DEV_NAME = 2;
const ETHTOOL_A_HEADER_FLAGS = 3;
const NESTED = 0x80;
const COMPACT_BITSETS = 1;

/** The link modes of every device that has some, from the family `ethtool`. Bits come as bits, not as names. */
export const allLinkModes = (family: number): DumpRequest =>
  genericRequest(
    family,
    ETHTOOL_MSG_LINKMODES_GET,
    // An attribute of 12 bytes that holds one of 8 bytes.
    Uint8Array.of(12, 0, ETHTOOL_A_LINKMODES_HEADER, NESTED, ...encodeU32(ETHTOOL_A_HEADER_FLAGS, COMPACT_BITSETS)),
  );

export interface LinkMode {
  readonly device: string;
  /** -1 where it is not known; missing where the kernel does not say. */
  readonly speedMegabits: number | undefined;
  /** As the reference writes it. Missing where the kernel does not say. */
  readonly duplex: 'Half' | 'Full' | 'Unknown' | undefined;
}

function deviceOf(view: DataView, header: number): string {
  const end = valueEnd(view, header);
  let name = '';
  for (let at = valueStart(header), after = at; at < end; at = after) {
    after = attributeAfter(view, at, end);
    if (attributeType(view, at) === ETHTOOL_A_HEADER_DEV_NAME) name = textOf(view, at);
  }
  return name;
}

export function parseLinkMode(view: DataView, start: number, end: number): LinkMode {
  needBytes(start, end, GENERIC_HEAD_BYTES);
  let device = '';
  let speed: number | undefined;
  let duplex: number | undefined;
  for (let at = start + GENERIC_HEAD_BYTES, after = at; at < end; at = after) {
    after = attributeAfter(view, at, end);
    const type = attributeType(view, at);
    if (type === ETHTOOL_A_LINKMODES_HEADER) device = deviceOf(view, at);
    else if (type === ETHTOOL_A_LINKMODES_SPEED) speed = u32Of(view, at);
    else if (type === ETHTOOL_A_LINKMODES_DUPLEX) duplex = u8Of(view, at);
  }
  if (device === '') refuse('link modes without a device', start);
  const names = { 0: 'Half', 1: 'Full' } as const;
  return {
    device,
    // An unknown one has all bits set.
    speedMegabits: speed === undefined ? undefined : speed | 0,
    duplex: duplex === undefined ? undefined : (names[duplex as 0 | 1] ?? 'Unknown'),
  };
}
