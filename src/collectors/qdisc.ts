import { defineCollector } from '../core/collector.ts';
import { alone, eachOf } from '../core/each.ts';
import { UsageError } from '../core/errors.ts';
import { flag } from '../core/flag.ts';
import { counter, gauge } from '../core/metric.ts';
import { type Pattern, passes } from '../core/pattern.ts';
import { NETLINK_ROUTE } from '../netlink/protocols.ts';
import { ALL_QDISCS, parseRootQdisc, type Qdisc } from '../netlink/qdisc.ts';

const FIXTURES = 'collector.qdisc.fixtures';
const INCLUDE = 'collector.qdisc.device-include';
const EXCLUDE = 'collector.qdisc.device-exclude';
/** Misspelled, as the reference had them once. */
const OLD_INCLUDE = 'collector.qdisk.device-include';
const OLD_EXCLUDE = 'collector.qdisk.device-exclude';

/** Each of the four flags excludes the three others. */
function refuseTwo(patterns: Readonly<Record<string, Pattern | undefined>>): void {
  const [first, second] = Object.keys(patterns).filter((name) => patterns[name] !== undefined);
  if (second !== undefined) throw new UsageError(`--${first} and --${second} are mutually exclusive`);
}

export default defineCollector({
  name: 'qdisc',
  help: 'Exposes the counters of the queueing discipline at the root of each network device.',
  enabled: false,
  reads: ['netlink:RTM_GETQDISC'],
  flags: {
    fixtures: flag.text(
      FIXTURES,
      'A hook for tests of the reference, which Keyhole does not have: it refuses a value.',
    ),
    include: flag.regexp(INCLUDE, 'Network devices to report, and no others (RE2). Excludes device-exclude.'),
    exclude: flag.regexp(EXCLUDE, 'Network devices to leave out (RE2). Excludes device-include.'),
    oldInclude: flag.regexp(OLD_INCLUDE, 'Network devices to report (RE2).', '', {
      hidden: true,
      deprecated: INCLUDE,
    }),
    oldExclude: flag.regexp(OLD_EXCLUDE, 'Network devices to leave out (RE2).', '', {
      hidden: true,
      deprecated: EXCLUDE,
    }),
  },
  metrics: {
    bytes: counter('node_qdisc_bytes_total', 'Bytes sent.', 'device', 'kind'),
    packets: counter('node_qdisc_packets_total', 'Packets sent.', 'device', 'kind'),
    drops: counter('node_qdisc_drops_total', 'Packets dropped.', 'device', 'kind'),
    requeues: counter(
      'node_qdisc_requeues_total',
      'Packets put back, as the device could not take them.',
      'device',
      'kind',
    ),
    overlimits: counter('node_qdisc_overlimits_total', 'Times that a packet was over a limit.', 'device', 'kind'),
    queueLength: gauge('node_qdisc_current_queue_length', 'Packets in the queue.', 'device', 'kind'),
    backlog: gauge('node_qdisc_backlog', 'Bytes in the queue.', 'device', 'kind'),
  },
  needs: () => ({ sockets: [{ family: 'netlink', protocol: NETLINK_ROUTE }] }),
  setup({ network, flags }, metrics) {
    const { fixtures, include, exclude, oldInclude, oldExclude } = flags;
    if (fixtures !== '')
      throw new UsageError(`--${FIXTURES} is for tests of node_exporter: Keyhole asks the kernel only`);
    refuseTwo({ [INCLUDE]: include, [EXCLUDE]: exclude, [OLD_INCLUDE]: oldInclude, [OLD_EXCLUDE]: oldExclude });
    const [wanted, unwanted] = [include ?? oldInclude, exclude ?? oldExclude];
    return (out, turn) => {
      const write = alone<Qdisc>(out, ({ index, kind, ...counts }) => {
        const device = network.deviceName(index);
        if (device === undefined || !passes(device, wanted, unwanted)) return;
        out.sample(metrics.bytes, counts.bytes, device, kind);
        out.sample(metrics.packets, counts.packets, device, kind);
        out.sample(metrics.drops, counts.drops, device, kind);
        out.sample(metrics.requeues, counts.requeues, device, kind);
        out.sample(metrics.overlimits, counts.overlimits, device, kind);
        out.sample(metrics.queueLength, counts.queueLength, device, kind);
        out.sample(metrics.backlog, counts.backlogBytes, device, kind);
      });
      return eachOf(network.route.dump(ALL_QDISCS, parseRootQdisc), turn, write);
    };
  },
});
