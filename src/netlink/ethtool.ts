import { ParseError } from '../core/errors.ts';
import {
  attributeAfter,
  attributeType,
  needBytes,
  textOf,
  u8Of,
  u16Of,
  u32Of,
  valueEnd,
  valueStart,
} from './attributes.ts';

/**
 * Messages of generic netlink and of ethtool over it: `include/uapi/linux/genetlink.h`, `ethtool_netlink.h`. What parses one
 * takes the bytes of `view` from `start` to `end`, without the message's head. https://docs.kernel.org/networking/ethtool-netlink.html
 */

/** struct genlmsghdr: command, version, two bytes of nothing. */
const HEAD_BYTES = 4;

const CONTROLLER = 16;
const CTRL_CMD_GETFAMILY = 3;
const CTRL_ATTR_FAMILY_ID = 1;
const CTRL_ATTR_FAMILY_NAME = 2;

/** Every family that generic netlink has. */
export const ALL_FAMILIES = {
  type: CONTROLLER,
  reply: CONTROLLER,
  body: Uint8Array.of(CTRL_CMD_GETFAMILY, 1, 0, 0),
} as const;

export interface GenericFamily {
  readonly name: string;
  /** The type of its messages. */
  readonly id: number;
}

export function parseFamily(view: DataView, start: number, end: number): GenericFamily {
  needBytes(start, end, HEAD_BYTES);
  let name: string | undefined;
  let id: number | undefined;
  for (let at = start + HEAD_BYTES, after = at; at < end; at = after) {
    after = attributeAfter(view, at, end);
    const type = attributeType(view, at);
    if (type === CTRL_ATTR_FAMILY_NAME) name = textOf(view, at);
    else if (type === CTRL_ATTR_FAMILY_ID) id = u16Of(view, at);
  }
  if (name === undefined || id === undefined) throw new ParseError('netlink', 'a family without name or number');
  return { name, id };
}

const ETHTOOL_MSG_LINKMODES_GET = 4;
const ETHTOOL_A_LINKMODES_HEADER = 1;
const ETHTOOL_A_LINKMODES_SPEED = 5;
const ETHTOOL_A_LINKMODES_DUPLEX = 6;
const ETHTOOL_A_HEADER_DEV_NAME = 2;
const ETHTOOL_A_HEADER_FLAGS = 3;
const NESTED = 0x80;
const COMPACT_BITSETS = 1;

/** The link modes of every device that has some, from the family `ethtool`. Bits come as bits, not as names. */
export const allLinkModes = (family: number) => ({
  type: family,
  reply: family,
  // The request's head, then an attribute of 12 bytes that holds one of 8 bytes.
  body: Uint8Array.of(
    ...[ETHTOOL_MSG_LINKMODES_GET, 1, 0, 0],
    ...[12, 0, ETHTOOL_A_LINKMODES_HEADER, NESTED],
    ...[8, 0, ETHTOOL_A_HEADER_FLAGS, 0, COMPACT_BITSETS, 0, 0, 0],
  ),
});

export interface LinkMode {
  readonly device: string;
  /** Missing where it is not known. */
  readonly speedMegabits: number | undefined;
  /** As the reference writes it. Missing where the kernel does not say. */
  readonly duplex: 'Half' | 'Full' | 'Unknown' | undefined;
}

const SPEED_UNKNOWN = 0xffffffff;

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
  needBytes(start, end, HEAD_BYTES);
  let device = '';
  let speed: number | undefined;
  let duplex: number | undefined;
  for (let at = start + HEAD_BYTES, after = at; at < end; at = after) {
    after = attributeAfter(view, at, end);
    const type = attributeType(view, at);
    if (type === ETHTOOL_A_LINKMODES_HEADER) device = deviceOf(view, at);
    else if (type === ETHTOOL_A_LINKMODES_SPEED) speed = u32Of(view, at);
    else if (type === ETHTOOL_A_LINKMODES_DUPLEX) duplex = u8Of(view, at);
  }
  if (device === '') throw new ParseError('netlink', 'link modes without a device');
  const names = { 0: 'Half', 1: 'Full' } as const;
  return {
    device,
    speedMegabits: speed === SPEED_UNKNOWN ? undefined : speed,
    duplex: duplex === undefined ? undefined : (names[duplex as 0 | 1] ?? 'Unknown'),
  };
}
