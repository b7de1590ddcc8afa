import type { DumpRequest, Dumps } from '../core/network.ts';
import { attributeAfter, attributeType, needBytes, refuse, textOf, u16Of } from './attributes.ts';

/**
 * Generic netlink, whose families have numbers that the kernel gives out as it goes: `include/uapi/linux/genetlink.h`. What
 * parses a message takes the bytes of `view` from `start` to `end`, without the head of netlink.
 * https://docs.kernel.org/userspace-api/netlink/intro.html#generic-netlink
 */

/** struct genlmsghdr: command, version, two bytes of nothing. */
export const GENERIC_HEAD_BYTES = 4;

const CONTROLLER = 16;
const CTRL_CMD_GETFAMILY = 3;
const CTRL_ATTR_FAMILY_ID = 1;
const CTRL_ATTR_FAMILY_NAME = 2;

/** A question to the family with this number. `attributes` are encoded, each with its padding. */
export const genericRequest = (
  family: number,
  command: number,
  attributes: Uint8Array = new Uint8Array(0),
): DumpRequest => ({ type: family, reply: family, body: Uint8Array.of(command, 1, 0, 0, ...attributes) });

/** Every family that the kernel has. */
export const ALL_FAMILIES: DumpRequest = genericRequest(CONTROLLER, CTRL_CMD_GETFAMILY);

export interface GenericFamily {
  readonly name: string;
  /** The type of its messages. */
  readonly id: number;
}

export function parseFamily(view: DataView, start: number, end: number): GenericFamily {
  needBytes(start, end, GENERIC_HEAD_BYTES);
  let name: string | undefined;
  let id: number | undefined;
  for (let at = start + GENERIC_HEAD_BYTES, after = at; at < end; at = after) {
    after = attributeAfter(view, at, end);
    const type = attributeType(view, at);
    if (type === CTRL_ATTR_FAMILY_NAME) name = textOf(view, at);
    else if (type === CTRL_ATTR_FAMILY_ID) id = u16Of(view, at);
  }
  if (name === undefined || id === undefined) refuse('a family without name or number', start);
  return { name, id };
}

/** The number of a family; `undefined` where the kernel does not have it. It changes when a module is loaded anew. */
export const findFamily = (generic: Dumps, wanted: string): number | undefined =>
  generic.dump(ALL_FAMILIES, parseFamily).find(({ name }) => name === wanted)?.id;
