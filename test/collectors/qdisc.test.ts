import assert from 'node:assert/strict';
import { test } from 'node:test';
import qdisc from '../../src/collectors/qdisc.ts';
import { UsageError } from '../../src/core/errors.ts';
import { attributes, kernelOf, u32s, u64s } from '../helpers/netlink.ts';
import { golden, scrape } from '../helpers/scrape.ts';

const [KIND, STATS2, BASIC, QUEUE] = [1, 7, 1, 3];
const ROOT = 0xffffffff;

/** A queueing discipline as rtnetlink lists it. */
const listed = (index: number, parent: number, kind: string, first: number): Buffer => {
  const basic = Buffer.concat([u64s(BigInt(first)), u32s(first + 1)]);
  const queue = u32s(first + 2, first + 3, first + 4, first + 5, first + 6);
  const statistics = attributes([BASIC, basic], [QUEUE, queue]);
  return Buffer.concat([u32s(0, index, 0, parent, 0), attributes([KIND, kind], [STATS2, statistics])]);
};
const LIST = [
  listed(1, ROOT, 'noqueue', 0),
  listed(2, ROOT, 'mq', 1000),
  listed(2, 0x10001, 'fq_codel', 1),
  listed(2, 0xfffffff1, 'clsact', 1),
  listed(3, 0, 'pfifo_fast', 2000),
  // Gone since.
  listed(9, ROOT, 'htb', 1),
];
const netlink = () => kernelOf(() => LIST.map((body) => [36, body]), { 1: 'lo', 2: 'eno1', 3: 'wlan0' });

test('qdisc: what the kernel lists becomes the golden text', (t) => golden(t, qdisc, { netlink }));

for (const [argv, devices] of [
  [['--collector.qdisc.device-include=^e'], ['eno1']],
  [['--collector.qdisc.device-exclude=^e'], ['lo', 'wlan0']],
  [['--collector.qdisk.device-include=^e'], ['eno1']],
  [['--collector.qdisk.device-exclude=^(lo|w)'], ['eno1']],
] as const)
  test(`qdisc: ${argv.join(' ')} leaves ${devices}`, async () => {
    const { text } = await scrape(qdisc, { netlink, argv });
    assert.deepEqual(
      [...text.matchAll(/bytes_total\{device="(.*?)"/g)].map(([, device]) => device),
      devices,
    );
  });

for (const argv of [
  ['--collector.qdisc.device-include=a', '--collector.qdisc.device-exclude=b'],
  ['--collector.qdisc.device-include=a', '--collector.qdisk.device-include=b'],
  ['--collector.qdisk.device-exclude=a', '--collector.qdisc.device-exclude=b'],
  ['--collector.qdisk.device-exclude=a', '--collector.qdisk.device-include=b'],
])
  test(`qdisc: ${argv.join(' ')} contradict`, () =>
    assert.rejects(
      async () => scrape(qdisc, { netlink, argv }),
      (error) => error instanceof UsageError && / and --.* are mutually exclusive$/.test(error.message),
    ));

test('qdisc: the hook for tests of the reference is refused', () =>
  assert.rejects(
    async () => scrape(qdisc, { netlink, argv: ['--collector.qdisc.fixtures=/tmp'] }),
    new UsageError('--collector.qdisc.fixtures is for tests of node_exporter: Keyhole asks the kernel only'),
  ));
