import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ParseError } from '../../src/core/errors.ts';
import { ALL_QDISCS, parseRootQdisc } from '../../src/netlink/qdisc.ts';
import type { Attribute } from '../helpers/netlink.ts';
import { assertLivesThrough, attributes, between, u32s, u64s } from '../helpers/netlink.ts';

const [KIND, OPTIONS, STATS, STATS2] = [1, 2, 3, 7];
const [BASIC, QUEUE, PACKETS64] = [1, 3, 8];
const ROOT = 0xffffffff;
const INGRESS = 0xfffffff1;

/** struct tcmsg of a device with index 7, then attributes. */
const qdisc = (parent: number, ...attrs: readonly Attribute[]): Buffer =>
  Buffer.concat([u32s(0, 7, 0x10000, parent, 2), attributes(...attrs)]);
const basic = (bytes: bigint, packets: number): Attribute => [BASIC, Buffer.concat([u64s(bytes), u32s(packets)])];
const QUEUED: Attribute = [QUEUE, u32s(5, 6, 7, 8, 9)];
const FULL = qdisc(
  ROOT,
  [KIND, 'htb'],
  [OPTIONS, new Uint8Array(3)],
  [STATS2, attributes(basic(2n ** 40n, 12), QUEUED)],
  [STATS, new Uint8Array(40).fill(0xff)],
);

test('the request asks for every device', () => assert.deepEqual([...ALL_QDISCS.body], Array(20).fill(0)));

const COUNTS = { bytes: 2 ** 40, packets: 12, drops: 7, requeues: 8, overlimits: 9, queueLength: 5, backlogBytes: 6 };
const NONE = { bytes: 0, packets: 0, drops: 0, requeues: 0, overlimits: 0, queueLength: 0, backlogBytes: 0 };
for (const [why, bytes, wanted] of [
  ['of a root', FULL, { index: 7, kind: 'htb', ...COUNTS }],
  [
    'without a parent',
    qdisc(0, [KIND, 'noqueue'], [STATS2, new Uint8Array(0)]),
    { index: 7, kind: 'noqueue', ...NONE },
  ],
  [
    'with more packets than 32 bits hold',
    qdisc(ROOT, [KIND, 'mq'], [STATS2, attributes(basic(1n, 4), [PACKETS64, u64s(2n ** 32n + 4n)])]),
    { index: 7, kind: 'mq', ...NONE, bytes: 1, packets: 2 ** 32 + 4 },
  ],
  ['below another', qdisc(0x10001, [KIND, 'sfq'], [STATS2, attributes(QUEUED)]), undefined],
  ['of what comes in', qdisc(INGRESS, [KIND, 'ingress'], [STATS2, attributes(QUEUED)]), undefined],
  ['without counters', qdisc(ROOT, [KIND, 'fq']), undefined],
] as const)
  test(`parseRootQdisc reads one ${why}`, () => assert.deepEqual(between(bytes, 0xff, parseRootQdisc), wanted));

for (const [why, bytes] of [
  ['without a whole head', FULL.subarray(0, 19)],
  ['with too few counters', qdisc(ROOT, [STATS2, attributes([BASIC, new Uint8Array(11)])])],
  ['with too few numbers of a queue', qdisc(ROOT, [STATS2, attributes([QUEUE, new Uint8Array(19)])])],
  ['with a counter that is too short', qdisc(ROOT, [STATS2, attributes([PACKETS64, new Uint8Array(7)])])],
] as const)
  test(`parseRootQdisc refuses one ${why}`, () => assert.throws(() => between(bytes, 0, parseRootQdisc), ParseError));

test('parseRootQdisc lives through whatever it is given', () => assertLivesThrough([FULL], parseRootQdisc));
