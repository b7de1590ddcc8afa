import { defineCollector } from '../core/collector.ts';
import { ParseError } from '../core/errors.ts';
import { hex } from '../core/hex.ts';
import { counter, gauge } from '../core/metric.ts';
import { fields, lines } from '../core/text.ts';

export interface Softnet {
  readonly cpu: number;
  readonly processed: number;
  readonly dropped: number;
  readonly timesSqueezed: number;
  readonly cpuCollision: number;
  readonly receivedRps: number;
  readonly flowLimitCount: number;
  readonly backlogLength: number;
}

/**
 * Parses `/proc/net/softnet_stat`: a row of hexadecimal counters for each online CPU. Rows have grown: 9 columns at first,
 * then `received_rps` (Linux 2.6.35), `flow_limit_count` (3.11), backlog and CPU (5.10). What a row lacks counts as 0, and
 * its CPU is then the number of the row. https://docs.kernel.org/networking/scaling.html
 */
export function parseSoftnet(text: string): Softnet[] {
  return lines(text).map((line, row) => {
    const columns = fields(line);
    const values = columns.map((column) => {
      const value = hex(column);
      if (value === undefined) throw new ParseError('net/softnet_stat', line);
      return value;
    });
    const [processed, dropped, timesSqueezed, , , , , , cpuCollision, receivedRps = 0, flowLimitCount = 0] = values;
    if (processed === undefined || dropped === undefined || timesSqueezed === undefined || cpuCollision === undefined)
      throw new ParseError('net/softnet_stat', line);
    const [backlogLength = 0, cpu = row] = values.length < 13 ? [] : values.slice(11, 13);
    return { cpu, processed, dropped, timesSqueezed, cpuCollision, receivedRps, flowLimitCount, backlogLength };
  });
}

export default defineCollector({
  name: 'softnet',
  help: "Exposes what each CPU's network receive work did.",
  enabled: true,
  reads: ['/proc/net/softnet_stat'],
  flags: {},
  metrics: {
    processed: counter('node_softnet_processed_total', 'Packets taken from the receive queue.', 'cpu'),
    dropped: counter('node_softnet_dropped_total', 'Packets dropped because the receive queue was full.', 'cpu'),
    squeezed: counter(
      'node_softnet_times_squeezed_total',
      'Times that receive work ended with packets left, for want of budget or time.',
      'cpu',
    ),
    collision: counter(
      'node_softnet_cpu_collision_total',
      'Times that another CPU held the lock of the device to send on.',
      'cpu',
    ),
    rps: counter('node_softnet_received_rps_total', 'Times that another CPU woke this one to receive packets.', 'cpu'),
    flowLimit: counter('node_softnet_flow_limit_count_total', 'Packets dropped by the limit for large flows.', 'cpu'),
    backlog: gauge('node_softnet_backlog_len', 'Packets in the backlog.', 'cpu'),
  },
  setup({ proc }, metrics) {
    return (out) => {
      for (const each of parseSoftnet(proc.read('net/softnet_stat'))) {
        const cpu = String(each.cpu);
        out.sample(metrics.processed, each.processed, cpu);
        out.sample(metrics.dropped, each.dropped, cpu);
        out.sample(metrics.squeezed, each.timesSqueezed, cpu);
        out.sample(metrics.collision, each.cpuCollision, cpu);
        out.sample(metrics.rps, each.receivedRps, cpu);
        out.sample(metrics.flowLimit, each.flowLimitCount, cpu);
        out.sample(metrics.backlog, each.backlogLength, cpu);
      }
    };
  },
});
