import { defineCollector } from '../core/collector.ts';
import { ParseError } from '../core/errors.ts';
import { hex } from '../core/hex.ts';
import { counter, gauge } from '../core/metric.ts';
import type { Reading } from '../core/reading.ts';
import { parseCpulist } from '../parse/cpulist.ts';

const COLUMNS_MIN = 9;
/** With these the last two are the backlog and the CPU. */
const COLUMNS_WITH_CPU = 13;

/**
 * `/proc/net/softnet_stat`: a row of hexadecimal counters for each online CPU. Rows have grown: 9 columns at first, then
 * `received_rps` (Linux 2.6.35), `flow_limit_count` (3.11), backlog and CPU (5.10). What a row lacks counts as 0, and its CPU
 * is then the one of its place among those online. https://docs.kernel.org/networking/scaling.html
 */
export default defineCollector({
  name: 'softnet',
  help: "Exposes what each CPU's network receive work did.",
  enabled: true,
  reads: ['/proc/net/softnet_stat', '/sys/devices/system/cpu/online'],
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
  setup({ proc, sys }, metrics) {
    const online = sys.file('devices/system/cpu/online');
    const columns = [
      [metrics.processed, 0],
      [metrics.dropped, 1],
      [metrics.squeezed, 2],
      [metrics.collision, 8],
      [metrics.rps, 9],
      [metrics.flowLimit, 10],
      [metrics.backlog, 11],
    ] as const;
    return proc.table('net/softnet_stat', (lines, out) => {
      const isOld = [...lines].every(({ length }) => length < COLUMNS_WITH_CPU);
      const list = isOld ? lines.followed(online) : undefined;
      const cpus = list === undefined ? undefined : parseCpulist(list, online.path);
      if (cpus !== undefined && cpus.length !== lines.length)
        throw new ParseError(online.path, `${list?.trim()} for ${lines.length} rows of net/softnet_stat`);
      lines.each((line, row) => {
        const { length } = line;
        if (length < COLUMNS_MIN) throw line.fault();
        const hasCpu = length >= COLUMNS_WITH_CPU;
        // The number of a CPU does not change as the others do: it is a word.
        const cpu = hasCpu ? hex(line.word(12)) : (cpus?.[row] ?? row);
        if (cpu === undefined) throw line.fault();
        const counts: Reading[] = [];
        for (let i = 0; i < length; i += 1) if (i !== 12) counts[i] = line.hex(i);
        for (const [family, column] of columns) {
          const isThere = column !== 11 || hasCpu;
          out.sample(family, (isThere ? counts[column] : undefined) ?? 0, String(cpu));
        }
      });
    });
  },
});
