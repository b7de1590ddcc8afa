import { type Attribute, attributes } from './netlink.ts';

interface Head {
  readonly family?: number;
  readonly prefixLength?: number;
  readonly table?: number;
  readonly protocol?: number;
  readonly type?: number;
}

/** A route as rtnetlink lists it: struct rtmsg, then attributes. */
export function route(head: Head, ...attrs: readonly Attribute[]): Buffer {
  const { family = 2, prefixLength = 0, table = 254, protocol = 3, type = 1 } = head;
  const bytes = Buffer.from([family, prefixLength, 0, 0, table, protocol, 0, type, 0, 0, 0, 0]);
  return Buffer.concat([bytes, attributes(...attrs)]);
}
