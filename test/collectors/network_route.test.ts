import assert from 'node:assert/strict';
import { test } from 'node:test';
import networkRoute from '../../src/collectors/network_route.ts';
import { kernelOf } from '../helpers/netlink.ts';
import { route } from '../helpers/route.ts';
import { golden, scrape } from '../helpers/scrape.ts';

const [DST, OIF, GATEWAY, PRIORITY, MULTIPATH] = [1, 4, 5, 6, 9];
const LINK = Uint8Array.of(192, 0, 2, 0);
const HOP = Uint8Array.of(192, 0, 2, 1);

/** struct rtnexthop to the gateway. */
const hop = (index: number, hops: number): Uint8Array =>
  Uint8Array.of(16, 0, 0, hops, index, 0, 0, 0, 8, 0, GATEWAY, 0, ...HOP);

const ROUTES = [
  route({ protocol: 16 }, [GATEWAY, HOP], [OIF, { u32: 2 }], [PRIORITY, { u32: 100 }]),
  route({ prefixLength: 24, protocol: 2 }, [DST, LINK], [OIF, { u32: 2 }]),
  // The same in another table.
  route({ prefixLength: 24, protocol: 2, table: 100 }, [DST, LINK], [OIF, { u32: 2 }]),
  route(
    { prefixLength: 8, protocol: 188 },
    [DST, Uint8Array.of(10, 0, 0, 0)],
    [MULTIPATH, Buffer.concat([hop(2, 0), hop(3, 4)])],
  ),
  route({ prefixLength: 32, protocol: 200 }, [DST, HOP], [OIF, { u32: 9 }]),
  route({ type: 2 }, [OIF, { u32: 2 }]),
];
const NAMES = { 2: 'eno1', 3: 'wlan0' };

test('network_route: what the kernel lists becomes the golden text', (t) =>
  golden(t, networkRoute, { netlink: () => kernelOf(() => ROUTES.map((body) => [24, body]), NAMES) }));

test('network_route: a kernel without routes has no series, and that is no fault', async () => {
  const { text, success } = await scrape(networkRoute, { netlink: () => kernelOf(() => []) });
  assert.deepEqual([text, success], ['', true]);
});

test('network_route: what the kernel refuses is a fault', async () => {
  const { error } = await scrape(networkRoute, { netlink: () => kernelOf(() => 1) });
  assert.equal((error as { code?: string }).code, 'EPERM');
});
