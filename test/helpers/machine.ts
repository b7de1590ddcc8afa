import type { AskDaemon, Basic, Daemons, NtpReply, Peer } from '../../src/core/daemons.ts';
import type { System, Timex } from '../../src/core/system.ts';
import type { Netlink } from '../../src/netlink/netlink.ts';
import { NETLINK_GENERIC, NETLINK_ROUTE, NETLINK_SOCK_DIAG } from '../../src/netlink/protocols.ts';
import { createEthtool } from '../../src/syscall/ethtool.ts';
import { type DriverFacts, driversOf } from './ethtool.ts';
import { createStruck, type Fault, type Gone, hostileDisk, type Struck } from './hostile.ts';
import { type Answer, attributes, kernelOf, u32s, u64s } from './netlink.ts';
import { ADDRESS, wireless } from './nl80211.ts';
import { route } from './route.ts';
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

/** `struct tcmsg` of a queueing discipline at the root, then kind and TCA_STATS2. */
function qdisc(index: number): Buffer {
  const statistics = attributes([1, Buffer.concat([u64s(BigInt(index * 100)), u32s(7)])], [3, u32s(1, 2, 3, 4, 5)]);
  return Buffer.concat([u32s(0, index, 0, 0xffffffff, 0), attributes([1, 'fq_codel'], [7, statistics])]);
}

/** `struct inet_diag_msg` */
function socket(state: number): Buffer {
  const bytes = Buffer.alloc(72);
  bytes.writeUInt8(state, 1);
  bytes.writeUInt32LE(10 * state, 56);
  return bytes;
}

const [CONTROLLER, NL80211] = [16, 28];
const [GET_INTERFACE, GET_STATION] = [5, 17];

/** By protocol, type, and of generic netlink the command. */
const QUESTIONS: Readonly<Record<string, Exclude<Answer, number>>> = {
  [`${NETLINK_ROUTE} ${RTM_GETLINK}`]: [1, 2, 3].map((index) => [RTM_NEWLINK, link(index)]),
  [`${NETLINK_ROUTE} ${RTM_GETADDR}`]: [1, 2].map((index) => [RTM_NEWADDR, address(index)]),
  [`${NETLINK_ROUTE} ${RTM_GETNEIGH}`]: [7, 8, 9].map((last) => [RTM_NEWNEIGH, neighbour(2 + (last % 2), last)]),
  [`${NETLINK_ROUTE} 26`]: [1, 2, 3].map((oif) => [24, route({}, [4, { u32: oif }], [6, { u32: 100 * oif }])]),
  [`${NETLINK_ROUTE} 38`]: [1, 2].map((index) => [36, qdisc(index)]),
  [`${NETLINK_SOCK_DIAG} 20`]: [1, 1, 10].map((state) => [20, socket(state)]),
  [`${NETLINK_GENERIC} ${CONTROLLER} 3`]: [[CONTROLLER, wireless(1, [2, 'nl80211'], [1, Uint8Array.of(NL80211, 0)])]],
  [`${NETLINK_GENERIC} ${NL80211} ${GET_INTERFACE}`]: [3, 4].map((index) => [
    NL80211,
    wireless(7, [3, { u32: index }], [4, `wlan${index}`], [38, { u32: 5180 }]),
  ]),
  [`${NETLINK_GENERIC} ${NL80211} ${GET_STATION}`]: [
    [NL80211, wireless(19, [6, ADDRESS], [21, attributes([1, { u32: 20 }], [2, { u32: 3 }])])],
  ],
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
    kernelOf((type, body) => {
      const question = `${protocol} ${type}${protocol === NETLINK_GENERIC ? ` ${body[0]}` : ''}`;
      const answer = QUESTIONS[question];
      if (answer === undefined) return EOPNOTSUPP;
      const path = `netlink:${question}`;
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

const driver = (struck: Struck): DriverFacts => ({
  texts: ['igc', struck.text('syscall:ethtool', '6.1'), '', '', ''],
  autonegotiation: 1,
  supported: [0x62ef, 0],
  statistics: [['rx_packets', BigInt(struck.number('syscall:ethtool rx', 7))]],
});

/** What a peer on the bus says, whoever it is: what logind and systemd are asked for. */
const ROWS: Readonly<Record<string, readonly (readonly Basic[])[]>> = {
  ListSeats: [['seat0', '/seat/0']],
  ListSessions: ['seat0', ''].map((seat, i) => [`c${i}`, 1000, 'somebody', seat, `/session/${i}`]),
  ListUnits: ['a.service', 'b.socket', 'c.timer'].map((name) => [
    name,
    '',
    'loaded',
    'active',
    'x',
    '',
    `/unit/${name}`,
    0,
    '',
    '/',
  ]),
};
const PROPERTIES: Readonly<Record<string, Basic>> = {
  Version: '252',
  SystemState: 'running',
  Type: 'tty',
  Class: 'user',
};

const peerOf = (struck: Struck): Peer => ({
  rows: async (_path, _iface, method) => struck.list(`dbus:${method}`, ROWS[method] ?? [], (row) => row),
  async property(path, _iface, name) {
    const value = PROPERTIES[name] ?? 7;
    const at = `dbus:${path} ${name}`;
    return typeof value === 'string' ? struck.text(at, value) : struck.number(at, Number(value));
  },
});

function daemonsOf(struck: Struck): Daemons {
  const ask: AskDaemon = async (_signal, use) => use(peerOf(struck));
  const [sent, second] = [0xe8fc7f00_00000000n, 1n << 32n];
  return {
    onBus: () => ask,
    systemd: () => ask,
    async askNtp(): Promise<NtpReply> {
      const packet = {
        ...{ leap: 0, mode: 4, stratum: struck.number('ntp:stratum', 2), rootDelay: 0.5 },
        ...{ rootDispersion: struck.number('ntp:dispersion', 1), reference: sent - 60n * second, origin: 0n },
        ...{ receive: sent + second, transmit: sent + second },
      };
      return { packet, sent, received: sent + 2n * second };
    },
    xmlRpc: () => async () =>
      struck
        .list('xmlrpc:processes', ['a', 'b'], (name) => `${name}0`)
        .map((name) => ({
          ...{ name, group: struck.text(`xmlrpc:${name}`, 'all'), state: 20, exitstatus: 0, start: 1_700_000_000 },
        })),
  };
}

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
    ethtool: createEthtool((device, data) => driversOf({ eno1: driver(struck) })(device, data)),
    btrfsDevices: async () => undefined,
    createStatfsAsker: () => ({ ask: async (mounts) => new Map(mounts.map(({ path }) => [path, statfs(path)])) }),
  };
}

/** Everything that a collector may ask, as seen through the fault that `faultOf` answers at each question, if any. */
export function struckMachine(
  faultOf: () => Fault | undefined,
  goneOf?: () => Gone | undefined,
): Pick<ScrapeOptions, 'disk' | 'netlink' | 'system' | 'daemons' | 'now'> {
  const struck = createStruck(faultOf);
  return {
    disk: hostileDisk(faultOf, goneOf),
    netlink: netlinkOf(struck),
    system: systemOf(struck),
    daemons: daemonsOf(struck),
    now: 1_700_000_000_000,
  };
}
