import { defineCollector } from '../core/collector.ts';
import { alone, eachOf } from '../core/each.ts';
import { gauge } from '../core/metric.ts';
import { NETLINK_ROUTE } from '../netlink/protocols.ts';
import { ALL_ROUTES, parseRoute, type Route } from '../netlink/route.ts';

export default defineCollector({
  name: 'network_route',
  help: 'Exposes the unicast routes of every table, by IPv4 and IPv6.',
  enabled: false,
  reads: ['netlink:RTM_GETROUTE'],
  flags: {},
  metrics: {
    info: gauge(
      'node_network_route_info',
      'What is known of a route, in labels; always 1.',
      ...(['device', 'src', 'dest', 'gw', 'priority', 'proto', 'weight'] as const),
    ),
    routes: gauge('node_network_routes', 'How many routes lead to the device.', 'device'),
  },
  needs: () => ({ sockets: [{ family: 'netlink', protocol: NETLINK_ROUTE }] }),
  setup({ network }, metrics) {
    return async (out, turn) => {
      const names = new Map<number, string>();
      const nameOf = (index: number): string => {
        const name = names.get(index) ?? network.deviceName(index) ?? '';
        names.set(index, name);
        return name;
      };
      const counts = new Map<string, number>();
      // The tables have no label: what is the same in two of them is one series.
      const written = new Set<string>();
      const write = alone<Route>(out, (route) => {
        const { destination, source, priority, protocol, hops } = route;
        for (const { index, gateway, weight } of hops) {
          const device = nameOf(index);
          counts.set(device, (counts.get(device) ?? 0) + 1);
          const row = [device, source, destination, gateway, String(priority), protocol, String(weight ?? '')];
          const key = row.join();
          if (written.has(key)) continue;
          written.add(key);
          out.row(metrics.info, 1, row);
        }
      });
      await eachOf(network.route.dump(ALL_ROUTES, parseRoute), turn, write);
      for (const [device, count] of counts) out.sample(metrics.routes, count, device);
    };
  },
});
