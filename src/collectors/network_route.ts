import { defineCollector } from '../core/collector.ts';
import { eachDevice } from '../core/devices.ts';
import { gauge } from '../core/metric.ts';
import { NETLINK_ROUTE, openNetlink } from '../netlink/netlink.ts';
import { ALL_ROUTES, parseRoute } from '../netlink/route.ts';

/** `open` gives the way to the kernel's routes. */
export const networkRoute = (open: typeof openNetlink) =>
  defineCollector({
    name: 'network_route',
    help: 'Exposes the unicast routes of every table, by IPv4 and IPv6.',
    enabled: false,
    reads: [],
    flags: {},
    metrics: {
      info: gauge(
        'node_network_route_info',
        'What is known of a route, in labels; always 1.',
        ...(['device', 'src', 'dest', 'gw', 'priority', 'proto', 'weight'] as const),
      ),
      routes: gauge('node_network_routes', 'How many routes lead to the device.', 'device'),
    },
    setup(_, metrics) {
      const kernel = open(NETLINK_ROUTE);
      return async (out, turn) => {
        const names = new Map<number, string>();
        const nameOf = (index: number): string => {
          const name = names.get(index) ?? kernel.deviceName(index) ?? '';
          names.set(index, name);
          return name;
        };
        const counts = new Map<string, number>();
        // The tables have no label: what is the same in two of them is one series.
        const written = new Set<string>();
        await eachDevice(kernel.dump(ALL_ROUTES, parseRoute), turn, (route) => {
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
        for (const [device, count] of counts) out.sample(metrics.routes, count, device);
      };
    },
  });

export default networkRoute(openNetlink);
