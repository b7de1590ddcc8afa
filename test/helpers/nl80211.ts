import { type Attribute, attributes } from './netlink.ts';

/** The address 02:00:00:00:01:00. */
export const ADDRESS = Uint8Array.of(2, 0, 0, 0, 1, 0);

/** A message of nl80211 without the head of netlink: command, version 1, then attributes. */
export const wireless = (command: number, ...attrs: readonly Attribute[]): Buffer =>
  Buffer.concat([Buffer.from([command, 1, 0, 0]), attributes(...attrs)]);

/** Elements of IEEE 802.11: rates, then the name of a network. */
export const elements = (ssid: string): Buffer => {
  const name = Buffer.from(ssid);
  return Buffer.concat([Buffer.from([1, 2, 0x82, 0x84, 0, name.length]), name]);
};
