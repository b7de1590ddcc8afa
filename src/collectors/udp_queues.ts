import { defineCollector } from '../core/collector.ts';
import { NoDataError, optional, ParseError } from '../core/errors.ts';
import { hex } from '../core/hex.ts';
import { gauge } from '../core/metric.ts';
import { fields, lines } from '../core/text.ts';

/** Bytes that wait in the queues of all sockets. */
export interface QueuedBytes {
  readonly tx: number;
  readonly rx: number;
}

const COLUMNS_MIN = 13;
const QUEUES_COLUMN = 4;

/** Parses `/proc/net/udp` and `/proc/net/udp6`, a row per socket. https://docs.kernel.org/networking/proc_net_tcp.html */
export function parseUdpQueues(file: string, text: string): QueuedBytes {
  let [tx, rx] = [0, 0];
  for (const line of lines(text).slice(1)) {
    const columns = fields(line);
    const [sent, received, ...rest] = (columns[QUEUES_COLUMN] ?? '').split(':').map(hex);
    if (columns.length < COLUMNS_MIN || sent === undefined || received === undefined || rest.length > 0)
      throw new ParseError(file, line);
    tx += sent;
    rx += received;
  }
  return { tx, rx };
}

export default defineCollector({
  name: 'udp_queues',
  help: 'Exposes what waits in the queues of UDP sockets.',
  enabled: true,
  reads: ['/proc/net/udp', '/proc/net/udp6'],
  flags: {},
  metrics: {
    queues: gauge('node_udp_queues', 'Bytes that wait in the queues of UDP sockets.', 'ip', 'queue'),
  },
  setup({ proc }, metrics) {
    return (out) => {
      let seen = false;
      for (const [ip, file] of [
        ['v4', 'net/udp'],
        ['v6', 'net/udp6'],
      ] as const) {
        const text = optional(() => proc.read(file));
        if (text === undefined) continue;
        seen = true;
        const { tx, rx } = parseUdpQueues(file, text);
        out.sample(metrics.queues, rx, ip, 'rx');
        out.sample(metrics.queues, tx, ip, 'tx');
      }
      if (!seen) throw new NoDataError('there is no UDP on this machine');
    };
  },
});
