import type { System, Timex } from '../../src/core/system.ts';
import { NETLINK_ROUTE, type Netlink } from '../../src/netlink/netlink.ts';
import { createStruck, type Fault, type Gone, hostileDisk, type Struck } from './hostile.ts';
import { type Answer, attributes, kernelOf, u32s, u64s } from './netlink.ts';
import type { ScrapeOptions } from './scrape.ts';

// A machine that is nothing but fixtures, messages and answers, each of which may be struck by a fault.

const [RTM_NEWLINK, RTM_GETLINK] = [16, 18];
const [RTM_NEWADDR, RTM_GETADDR] = [20, 22];
const [RTM_NEWNEIGH, RTM_GETNEIGH] = [28, 30];
const [ENODEV, EOPNOTSUPP] = [19, 95];

const NAMES: Readonly<Record<number, string>> = { 1: 'lo', 2: 'eno1', 3: 'br0', 9: 'ghost0' };

/** `struct ifinfomsg`, then attributes of `include/uapi/linux/if_link.h`. */
function link(index: number): Buffer {
  const head = Buffer.alloc(16);
  head.writeUInt16LE(index === 1 ? 772 : 1, 2);
  head.writeInt32LE(index, 4);
  head.writeUInt32LE(index === 3 ? 0x1002 : 0x11043, 8);
  const counters = Array.from({ length: 24 }, (_, i) => BigInt(index * 1000 + i));
  const all = attributes(
    [3, NAMES[index] as string],
    [13, { u32: 1000 }],
    [16, { u8: index === 3 ? 2 : 6 }],
    [17, { u8: 0 }],
    [4, { u32: 1500 }],
    [27, { u32: 0 }],
    [33, { u8: 1 }],
    [35, { u32: 2 }],
    [47, { u32: 1 }],
    [48, { u32: 1 }],
    [1, Uint8Array.of(2, 0, 0, 0, 0, index)],
    [2, Uint8Array.of(255, 255, 255, 255, 255, 255)],
    [7, u32s(...counters.map(Number))],
    [23, u64s(...counters)],
    [20, `alias ${index}`],
  );
  return Buffer.concat([head, all]);
}

/** `struct ifaddrmsg`, then IFA_LOCAL. */
const address = (index: number): Buffer =>
  Buffer.concat([Buffer.from([2, 24, 0, 0, index, 0, 0, 0]), attributes([1, Uint8Array.of(192, 0, 2, index)])]);

/** `struct ndmsg` of a neighbour that is reachable, then NDA_DST. */
const neighbour = (index: number, last: number): Buffer =>
  Buffer.concat([
    Buffer.from([2, 0, 0, 0, index, 0, 0, 0, 2, 0, 0, 1]),
    attributes([1, Uint8Array.of(192, 0, 2, last)]),
  ]);

const QUESTIONS: Readonly<Record<number, Exclude<Answer, number>>> = {
  [RTM_GETLINK]: [1, 2, 3].map((index) => [RTM_NEWLINK, link(index)]),
  [RTM_GETADDR]: [1, 2].map((index) => [RTM_NEWADDR, address(index)]),
  [RTM_GETNEIGH]: [7, 8, 9].map((last) => [RTM_NEWNEIGH, neighbour(2 + (last % 2), last)]),
};

/** A message with the index of a device that nobody knows. */
function ghostOf([type, body]: readonly [number, Uint8Array]): [number, Uint8Array] {
  const bytes = Buffer.from(body);
  bytes[4] = 9;
  return [type, bytes];
}

const netlinkOf =
  (struck: Struck) =>
  (protocol: number): Netlink =>
    kernelOf((type) => {
      const answer = QUESTIONS[type];
      if (protocol !== NETLINK_ROUTE || answer === undefined) return EOPNOTSUPP;
      const path = `netlink:${type}`;
      try {
        return struck
          .list(path, answer, ghostOf)
          .map(([reply, body], i) => [
            reply,
            Buffer.from(struck.text(`${path}/${i}`, Buffer.from(body).toString('latin1')), 'latin1'),
          ]);
      } catch {
        return ENODEV;
      }
    }, NAMES);

const TIMEX: Timex = {
  ...{ state: 0, offset: 12_000, freq: 65_536, maxerror: 500, esterror: 16, status: 0x2001, constant: 7, tick: 10_000 },
  ...{ ppsfreq: 0, jitter: 0, shift: 0, stabil: 0, jitcnt: 0, calcnt: 0, errcnt: 0, stbcnt: 0, tai: 37 },
};

function systemOf(struck: Struck): Partial<System> {
  const statfs = (path: string) => ({
    blockBytes: 4096,
    blocks: struck.number(`syscall:statfs ${path}`, 1000),
    blocksFree: 500,
    blocksAvailable: 400,
    files: 100,
    filesFree: struck.number(`syscall:statfs free ${path}`, 60),
  });
  return {
    pageSizeBytes: 4096,
    uname: () => ({
      sysname: 'Linux',
      release: struck.text('syscall:uname', '6.18.0'),
      version: '#1 SMP',
      machine: 'x86_64',
      nodename: struck.text('syscall:uname name', 'host'),
    }),
    interfaceAddresses: () => [{ device: 'eno1', address: '192.0.2.2', prefixLength: '24' }],
    adjtimex: () => ({ ...TIMEX, offset: struck.number('syscall:adjtimex', TIMEX.offset) }),
    statfs,
    createStatfsAsker: () => ({ ask: async (paths) => new Map(paths.map((path) => [path, statfs(path)])) }),
  };
}

/** Everything that a collector may ask, as seen through the fault that `faultOf` answers at each question, if any. */
export function struckMachine(
  faultOf: () => Fault | undefined,
  goneOf?: () => Gone | undefined,
): Pick<ScrapeOptions, 'disk' | 'netlink' | 'system' | 'now'> {
  const struck = createStruck(faultOf);
  return {
    disk: hostileDisk(faultOf, goneOf),
    netlink: netlinkOf(struck),
    system: systemOf(struck),
    now: 1_700_000_000_000,
  };
}
