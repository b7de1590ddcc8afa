import { defineCollector } from '../core/collector.ts';
import type { NtpReply } from '../core/daemons.ts';
import { UsageError } from '../core/errors.ts';
import { type FlagValues, flag } from '../core/flag.ts';
import { isAddress, isLoopback } from '../core/ip_address.ts';
import { gauge } from '../core/metric.ts';
import { secondsBetween, unixSeconds } from '../parse/ntp_time.ts';

const PREFIX = 'collector.ntp.';
const PORT_MAX = 65_535;
const DAY_SECONDS = 86_400;

/** Bounds of RFC 5905 (figures 6 and 20, appendix A.1.1): least delay to reckon with, greatest dispersion, longest poll interval. */
const DELAY_SECONDS_MIN = 0.01;
const DISPERSION_SECONDS_MAX = 16;
const AGE_SECONDS_MAX = 2 ** 17;
const STRATUM_MAX = 16;

const LEAP_UNSYNCHRONISED = 3;

/** What follows from one exchange, in seconds. */
export interface Clocks {
  readonly rtt: number;
  /** How far the server's clock is ahead of ours. */
  readonly offset: number;
  /** How far the server's clock is off at most. */
  readonly rootDistance: number;
  /** How far ours is off at least: by how much an effect came before its cause. */
  readonly minError: number;
}

/** RFC 5905, section 8 and 11.2. */
export function compareClocks({ packet, sent, received }: NtpReply): Clocks {
  const { receive, transmit, rootDelay, rootDispersion } = packet;
  const there = secondsBetween(sent, receive);
  const back = secondsBetween(transmit, received);
  const rtt = Math.max(0, there + back);
  return {
    rtt,
    offset: (there - back) / 2,
    rootDistance: Math.max(DELAY_SECONDS_MIN, rtt + rootDelay) / 2 + rootDispersion,
    minError: Math.max(0, -there, -back),
  };
}

/** Whether a server says that its time can be used. */
export function isValid({ packet }: NtpReply): boolean {
  const { leap, stratum, reference, transmit, rootDelay, rootDispersion } = packet;
  const age = secondsBetween(reference, transmit);
  return (
    stratum > 0 &&
    stratum < STRATUM_MAX &&
    leap !== LEAP_UNSYNCHRONISED &&
    age >= 0 &&
    age <= AGE_SECONDS_MAX &&
    rootDelay / 2 + rootDispersion <= DISPERSION_SECONDS_MAX
  );
}

/**
 * Remembers a leap second that was announced, since nothing tells of it any more once it is over. The function answers by how
 * much a clock may be off because some spread that second over the days around it.
 */
export function createLeapWatch(): (reply: NtpReply) => number {
  let midnight = Number.NEGATIVE_INFINITY;
  return ({ packet: { leap, transmit } }) => {
    const now = unixSeconds(transmit);
    if (leap === 1 || leap === 2) midnight = (Math.floor(now / DAY_SECONDS) + 1) * DAY_SECONDS;
    return Math.abs(now - midnight) < DAY_SECONDS ? 1 : 0;
  };
}

const flags = {
  server: flag.text(`${PREFIX}server`, 'The NTP server to ask.', '127.0.0.1'),
  port: flag.int(`${PREFIX}server-port`, 'Its UDP port.', 123),
  version: flag.int(`${PREFIX}protocol-version`, 'The NTP version to speak.', 4),
  isLocal: flag.bool(`${PREFIX}server-is-local`, 'Take the server for a local one although its address is not.'),
  ttl: flag.int(`${PREFIX}ip-ttl`, 'How many hops a request may take.', 1),
  maxDistanceMs: flag.duration(
    `${PREFIX}max-distance`,
    'The greatest distance to the root clock that is sane.',
    '3.46608s',
  ),
  toleranceMs: flag.duration(`${PREFIX}local-offset-tolerance`, 'How far the local clock may be off.', '1ms'),
};

/** Throws a `UsageError` for a setting that cannot be. */
function checkFlags(values: FlagValues<typeof flags>): void {
  const { server, port, version, isLocal, toleranceMs } = values;
  const demand = (holds: boolean, { name }: { readonly name: string }, what: string): void => {
    if (!holds) throw new UsageError(`--${name}: ${what}`);
  };
  demand(isLocal || isLoopback(server), flags.server, `${server} is not an address of this machine's loopback`);
  demand(version >= 2 && version <= 4, flags.version, `there is no version ${version}, but 2 to 4`);
  demand(port >= 1 && port <= PORT_MAX, flags.port, `${port} is not a port`);
  demand(toleranceMs >= 0, flags.toleranceMs, 'a clock cannot be off by less than nothing');
}

export default defineCollector({
  name: 'ntp',
  help: 'Exposes what a local NTP server says about its clock.',
  enabled: false,
  reads: [],
  flags,
  metrics: {
    stratum: gauge(
      'node_ntp_stratum',
      'How far the server is from a reference clock: 1 has one, 16 is not synchronised.',
    ),
    leap: gauge('node_ntp_leap', 'Leap second today: 0 none, 1 one more, 2 one less; 3 is a clock not synchronised.'),
    rtt: gauge('node_ntp_rtt_seconds', 'How long request and reply were on their way.'),
    offset: gauge('node_ntp_offset_seconds', "How far the server's clock is ahead of the machine's."),
    reference: gauge('node_ntp_reference_timestamp_seconds', "When the server's clock was last set, in Unix time."),
    rootDelay: gauge(
      'node_ntp_root_delay_seconds',
      'How long a packet takes from the server to the reference clock and back.',
    ),
    rootDispersion: gauge(
      'node_ntp_root_dispersion_seconds',
      'How far the server may be off from the reference clock.',
    ),
    sanity: gauge('node_ntp_sanity', "Whether the server's time can be used, and the machine's clock agrees with it."),
  },
  needs: ({ flags: { server } }) => ({ sockets: [{ family: 'udp' }], resolves: !isAddress(server) }),
  setup({ daemons, flags: values }, metrics) {
    checkFlags(values);
    const { server: host, port, version, ttl, maxDistanceMs, toleranceMs } = values;
    const toleranceAround = createLeapWatch();
    return async (out, turn) => {
      const reply = await daemons.askNtp({ host, port, version, ttl }, turn.signal);
      const { stratum, leap, reference, rootDelay, rootDispersion } = reply.packet;
      const { rtt, offset, rootDistance, minError } = compareClocks(reply);
      out.sample(metrics.stratum, stratum);
      out.sample(metrics.leap, leap);
      out.sample(metrics.rtt, rtt);
      out.sample(metrics.offset, offset);
      out.sample(metrics.reference, reference === 0n ? 0 : Math.max(0, unixSeconds(reference)));
      out.sample(metrics.rootDelay, rootDelay);
      out.sample(metrics.rootDispersion, rootDispersion);
      const isSane =
        isValid(reply) &&
        rootDistance <= maxDistanceMs / 1000 &&
        minError <= toleranceMs / 1000 + toleranceAround(reply);
      out.sample(metrics.sanity, isSane ? 1 : 0);
    };
  },
});
