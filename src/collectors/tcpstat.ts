import { defineCollector } from '../core/collector.ts';
import { gauge } from '../core/metric.ts';
import { NETLINK_SOCK_DIAG } from '../netlink/protocols.ts';
import { addSocket, IPV4_SOCKETS, IPV6_SOCKETS, noSockets } from '../netlink/sock_diag.ts';

export default defineCollector({
  name: 'tcpstat',
  help: 'Exposes how many TCP sockets are in each state, and what waits in their queues.',
  enabled: false,
  reads: ['/proc/net/tcp6', 'netlink:SOCK_DIAG_BY_FAMILY'],
  flags: {},
  metrics: {
    states: gauge(
      'node_tcp_connection_states',
      'TCP sockets in this state, or bytes in this queue of all of them.',
      'state',
    ),
  },
  needs: () => ({ sockets: [{ family: 'netlink', protocol: NETLINK_SOCK_DIAG }] }),
  setup({ proc, network }, metrics) {
    return (out) => {
      // A kernel without IPv6 refuses the question.
      const families = proc.exists('net/tcp6') ? [IPV4_SOCKETS, IPV6_SOCKETS] : [IPV4_SOCKETS];
      const counted = new Map<string, number>();
      const add = (state: string, count: number): void => {
        counted.set(state, (counted.get(state) ?? 0) + count);
      };
      for (const family of families) {
        const { states, receiveQueueBytes, sendQueueBytes } = network.sockets.fold(family, noSockets, addSocket);
        for (const [state, count] of states) add(state, count);
        if (states.size === 0) continue;
        add('rx_queued_bytes', receiveQueueBytes);
        add('tx_queued_bytes', sendQueueBytes);
      }
      for (const [state, count] of counted) out.sample(metrics.states, count, state);
    };
  },
});
