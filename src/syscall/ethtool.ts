import { LimitError, ParseError } from '../core/errors.ts';
import type { DriverInfo, Ethtool } from '../core/system.ts';
import { decodeName } from '../core/utf8.ts';
import { addressOf, syscall } from './libc.ts';

/**
 * What network drivers say of their devices, by ioctl: `include/uapi/linux/ethtool.h`. These questions need no privilege. Most of it
 * has no other way out of the kernel. https://man7.org/linux/man-pages/man7/netdevice.7.html
 */

const GDRVINFO = 0x03;
const GSTRINGS = 0x1b;
const GSTATS = 0x1d;
const GLINKSETTINGS = 0x4c;
const ETH_SS_STATS = 1;

/** struct ethtool_drvinfo: five texts of 32 bytes each from byte 4 on, then numbers. */
const DRIVER_BYTES = 196;
const TEXT_BYTES = 32;
const STATISTICS_AT = 180;
/** struct ethtool_link_settings, behind which three masks of so many words follow: supported, advertised, the partner's. */
const SETTINGS_BYTES = 48;
const AUTONEGOTIATION_AT = 11;
const WORDS_AT = 15;
const WORDS_MAX = 127;
/** struct ethtool_gstrings: command, set, length. */
const STRINGS_AT = 12;
/** struct ethtool_stats: command, length. */
const VALUES_AT = 8;
const STATISTICS_MAX = 32_768;

/** Asks of a device, whose name holds one character per byte, what `data` begins with; the kernel writes its answer over it. */
export type EthtoolIoctl = (device: string, data: Uint8Array) => void;

const viewOf = (bytes: Uint8Array): DataView => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);

function textAt(bytes: Uint8Array, start: number): string {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset + start, TEXT_BYTES);
  const zero = text.indexOf(0);
  return text.toString('utf8', 0, zero < 0 ? TEXT_BYTES : zero);
}

function parseDriver(bytes: Uint8Array): DriverInfo {
  const [driver, version, firmwareVersion, busInfo, romVersion] = [0, 1, 2, 3, 4].map((place) =>
    textAt(bytes, 4 + place * TEXT_BYTES),
  ) as [string, string, string, string, string];
  const statistics = viewOf(bytes).getUint32(STATISTICS_AT, true);
  return { driver, version, firmwareVersion, busInfo, romVersion, statistics };
}

/** How many blocks of names are remembered. Devices of the same driver mostly share one. */
const BLOCKS_MAX = 64;

/** Decodes names, and answers the same array for the same bytes. */
function createNames(): (bytes: Buffer) => readonly string[] {
  const known: { readonly bytes: Buffer; readonly names: readonly string[] }[] = [];
  return (bytes) => {
    const found = known.find((each) => each.bytes.equals(bytes));
    if (found !== undefined) return found.names;
    const names = Array.from({ length: bytes.length / TEXT_BYTES }, (_, i) => textAt(bytes, i * TEXT_BYTES));
    if (known.length >= BLOCKS_MAX) known.shift();
    known.push({ bytes: Buffer.from(bytes), names });
    return names;
  };
}

const WORD = 2 ** 32;

export function createEthtool(ask: EthtoolIoctl): Ethtool {
  // The kernel writes as many as the driver has at that moment, however many it is asked for: there is room for the most.
  let scratch: Buffer | undefined;
  const room = (): Buffer => {
    scratch ??= Buffer.alloc(STRINGS_AT + STATISTICS_MAX * TEXT_BYTES);
    return scratch;
  };
  const namesOf = createNames();
  let words = 0;
  const request = (command: number, sizeBytes: number, ...numbers: readonly number[]): Buffer => {
    const data = room().fill(0, 0, sizeBytes);
    for (const [i, number] of [command, ...numbers].entries()) data.writeUInt32LE(number, 4 * i);
    return data;
  };
  return {
    driver(device) {
      const data = request(GDRVINFO, DRIVER_BYTES);
      ask(device, data);
      return parseDriver(data);
    },
    link(device) {
      // The kernel says how long its masks are where it is asked for others, as a negative number.
      for (let tries = 0; tries < 2; tries += 1) {
        const data = request(GLINKSETTINGS, SETTINGS_BYTES + 3 * 4 * WORDS_MAX);
        data.writeInt8(words, WORDS_AT);
        ask(device, data);
        const given = data.readInt8(WORDS_AT);
        const end = SETTINGS_BYTES + 8 * given;
        if (given > 0)
          return {
            autonegotiation: data[AUTONEGOTIATION_AT] as number,
            supported: Uint8Array.from(data.subarray(SETTINGS_BYTES, SETTINGS_BYTES + 4 * given)),
            advertised: Uint8Array.from(data.subarray(SETTINGS_BYTES + 4 * given, end)),
          };
        words = Math.min(-given, WORDS_MAX);
      }
      throw new ParseError('ethtool', `${decodeName(device)}: masks of ${-words} words at byte ${WORDS_AT}`);
    },
    statistics(device, count) {
      if (count === 0) return undefined;
      if (count > STATISTICS_MAX) throw new LimitError(`ethtool: ${decodeName(device)} has ${count} statistics`);
      const strings = request(GSTRINGS, STRINGS_AT, ETH_SS_STATS, count);
      ask(device, strings);
      if (strings.readUInt32LE(8) !== count) return undefined;
      const names = namesOf(strings.subarray(STRINGS_AT, STRINGS_AT + count * TEXT_BYTES));
      const numbers = request(GSTATS, VALUES_AT, count);
      ask(device, numbers);
      if (numbers.readUInt32LE(4) !== count) return undefined;
      const values = names.map((_, i) => {
        const at = VALUES_AT + 8 * i;
        return numbers.readUInt32LE(at + 4) * WORD + numbers.readUInt32LE(at);
      });
      return { names, values };
    },
  };
}

const AF_NETLINK = 16;
const SOCK_RAW = 3;
const SOCK_CLOEXEC = 0x80000;
const SIOCETHTOOL = 0x8946;
/** struct ifreq of `include/uapi/linux/if.h`: a name of 16 bytes, then here a pointer. */
const IFREQ_BYTES = 40;
const IFNAME_BYTES = 16;

/** Asks the kernel. Opens nothing before the first question. */
export function openEthtool(): Ethtool {
  let socket: number | undefined;
  const request = new Uint8Array(IFREQ_BYTES);
  return createEthtool((device, data) => {
    // Any socket serves. One of netlink is allowed where those of the network are not, as in a unit of systemd.
    socket ??= syscall('socket', AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, 0);
    request.fill(0);
    // The last byte stays zero.
    Buffer.from(request.buffer, 0, IFNAME_BYTES - 1).write(device, 'latin1');
    viewOf(request).setBigUint64(IFNAME_BYTES, addressOf(data), true);
    syscall('ioctl', socket, SIOCETHTOOL, request);
  });
}
