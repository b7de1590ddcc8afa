import { BlockList, isIP, isIPv4, isIPv6 } from 'node:net';

/** The longest run of two zeros or more among the groups of an IPv6 address, the first of those of the same length. */
function longestZeros(groups: readonly number[]): { start: number; length: number } {
  let best = { start: -1, length: 1 };
  for (let start = 0; start < groups.length; start += 1) {
    let length = 0;
    while (groups[start + length] === 0) length += 1;
    if (length > best.length) best = { start, length };
    start += length;
  }
  return best;
}

/** The text of an IPv4 or IPv6 address of 4 or 16 bytes, as RFC 5952 has it; `undefined` for another number of bytes. */
export function formatAddress(bytes: Uint8Array): string | undefined {
  if (bytes.length === 4) return bytes.join('.');
  if (bytes.length !== 16) return undefined;
  const groups = Array.from({ length: 8 }, (_, i) => (bytes[2 * i] as number) * 256 + (bytes[2 * i + 1] as number));
  const { start, length } = longestZeros(groups);
  const hex = (from: number, to: number): string =>
    groups
      .slice(from, to)
      .map((group) => group.toString(16))
      .join(':');
  return start < 0 ? hex(0, 8) : `${hex(0, start)}::${hex(start + length, 8)}`;
}

/** Whether a text is an IPv4 or IPv6 address. */
export const isAddress = (text: string): boolean => isIP(text) !== 0;

const loopback = new BlockList();
loopback.addSubnet('127.0.0.0', 8, 'ipv4');
loopback.addAddress('::1', 'ipv6');

/** Whether this is an address of this machine's loopback. */
export const isLoopback = (host: string): boolean =>
  (isIPv4(host) && loopback.check(host, 'ipv4')) || (isIPv6(host) && loopback.check(host, 'ipv6'));
