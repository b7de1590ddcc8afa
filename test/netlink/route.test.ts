import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ParseError } from '../../src/core/errors.ts';
import { ALL_ROUTES, parseRoute, type Route } from '../../src/netlink/route.ts';
import { type Attribute, assertLivesThrough, attributes, between } from '../helpers/netlink.ts';
import { route } from '../helpers/route.ts';

const [DST, OIF, GATEWAY, PRIORITY, PREFSRC, MULTIPATH, VIA] = [1, 4, 5, 6, 7, 9, 18];
const GLOBAL = Uint8Array.of(0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1);

/** struct rtnexthop, then attributes. */
function hop(index: number, hops: number, ...attrs: readonly Attribute[]): Buffer {
  const rest = attributes(...attrs);
  return Buffer.concat([Buffer.from([8 + rest.length, 0, 0, hops, index, 0, 0, 0]), rest]);
}

const PLAIN: Route = {
  destination: 'default',
  source: '',
  priority: 0,
  protocol: 'boot',
  hops: [{ index: 0, gateway: '', weight: undefined }],
};
const WAY = route({ prefixLength: 24 }, [DST, Uint8Array.of(192, 0, 2, 0)], [OIF, { u32: 3 }]);
const WAYS = route(
  {},
  [PRIORITY, { u32: 100 }],
  [
    MULTIPATH,
    Buffer.concat([
      hop(2, 0, [GATEWAY, Uint8Array.of(10, 0, 0, 1)]),
      hop(3, 9, [VIA, Uint8Array.of(10, 0, ...GLOBAL)]),
    ]),
  ],
);
const IPV6 = route(
  { family: 10, prefixLength: 64, protocol: 9 },
  [DST, GLOBAL],
  [OIF, { u32: 4 }],
  [PREFSRC, GLOBAL],
  [GATEWAY, Uint8Array.of(0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9)],
  [PRIORITY, { u32: 4_294_967_295 }],
);

test('the request asks for every family', () => assert.deepEqual([...ALL_ROUTES.body], Array(12).fill(0)));

for (const [why, bytes, wanted] of [
  ['without anything', route({}), PLAIN],
  [
    'to a network on a link',
    WAY,
    { ...PLAIN, destination: '192.0.2.0/24', hops: [{ index: 3, gateway: '', weight: undefined }] },
  ],
  [
    'with several ways, one of them by IPv6',
    WAYS,
    {
      ...PLAIN,
      priority: 100,
      hops: [
        { index: 2, gateway: '10.0.0.1', weight: 1 },
        { index: 3, gateway: '2001:db8::1', weight: 10 },
      ],
    },
  ],
  [
    'by IPv6',
    IPV6,
    {
      destination: '2001:db8::1/64',
      source: '2001:db8::1',
      priority: 4_294_967_295,
      protocol: 'ra',
      hops: [{ index: 4, gateway: 'fe80::9', weight: undefined }],
    },
  ],
  ['of a protocol without a name', route({ protocol: 99 }), { ...PLAIN, protocol: 'unknown' }],
  ['that is for this machine', route({ type: 2 }), undefined],
  ['that leads nowhere', route({ type: 6 }), undefined],
  ['of MPLS', route({ family: 28 }, [DST, Uint8Array.of(0, 6, 0x41, 0)]), undefined],
] as const)
  test(`parseRoute reads a route ${why}`, () => assert.deepEqual(between(bytes, 0xff, parseRoute), wanted));

for (const [why, bytes, message] of [
  ['without a whole head', WAY.subarray(0, 11), '11 bytes where 12 are needed at byte 64'],
  ['with an address of five bytes', route({}, [DST, new Uint8Array(5)]), 'an address of 5 bytes at byte 76'],
  ['with a gateway without a family', route({}, [VIA, new Uint8Array(1)]), 'an address of 0 bytes at byte 76'],
  [
    'with a hop that is too long',
    route({}, [MULTIPATH, Uint8Array.of(9, 0, 0, 0, 1, 0, 0, 0)]),
    'a hop of 9 bytes in 8 at byte 80',
  ],
  ['with a hop of no length', route({}, [MULTIPATH, new Uint8Array(8)]), 'a hop of 0 bytes in 8 at byte 80'],
] as const)
  test(`parseRoute refuses a route ${why}`, () => {
    assert.throws(() => between(bytes, 0, parseRoute), new ParseError('netlink', message));
  });

test('parseRoute lives through whatever it is given', () => assertLivesThrough([WAY, WAYS, IPV6], parseRoute));
