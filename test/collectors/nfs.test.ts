import assert from 'node:assert/strict';
import { test } from 'node:test';
import nfs from '../../src/collectors/nfs.ts';
import { NoDataError, ParseError } from '../../src/core/errors.ts';
import { samplesIn } from '../helpers/odd.ts';
import { golden, prepared, scrape, tree } from '../helpers/scrape.ts';

const FILE = 'proc/net/rpc/nfs';
const REQUEST = /^node_nfs_requests_total\{method="(.*)",proto="(.)"\} (.*)$/gm;

test('nfs: the fixtures scrape to the golden text', (t) => golden(t, nfs));

/** Requests by version of the protocol and method. */
const requestsOf = (text: string): Map<string, number> =>
  new Map([...text.matchAll(REQUEST)].map(([, method, proto, count]) => [`${proto} ${method}`, Number(count)]));

test('nfs takes a kernel with fewer operations, or without a version, as one that never called them', async (t) => {
  const { text, error } = await scrape(nfs, { root: tree(t, { [FILE]: 'net 1 2 3 4\nproc4 3 7 8 9\n' }) });
  assert.equal(error, undefined);
  const requests = requestsOf(text);
  const ofVersion = (version: string): number => [...requests.keys()].filter((key) => key.startsWith(version)).length;
  assert.deepEqual(['2', '3', '4'].map(ofVersion), [18, 22, 59]);
  assert.deepEqual([...requests].filter(([, count]) => count > 0).sort(), [
    ['4 Null', 7],
    ['4 Read', 8],
    ['4 Write', 9],
  ]);
  const others = samplesIn(text).filter((sample) => !sample.startsWith('node_nfs_requests_total'));
  assert.deepEqual(others, [
    'node_nfs_connections_total 4',
    'node_nfs_packets_total{protocol="tcp"} 3',
    'node_nfs_packets_total{protocol="udp"} 2',
  ]);
});

/** The requests where each counter of a line is its place. */
async function numbered(root: string): Promise<Map<string, number>> {
  return requestsOf((await scrape(nfs, { root })).text);
}
const line = (label: string, count: number): string =>
  `${label} ${count} ${Array.from({ length: count }, (_, i) => i).join(' ')}\n`;

test('nfs has the operations of NFSv4 in the order of the kernel, but for two that node_exporter swaps', async (t) => {
  const requests = await numbered(tree(t, { [FILE]: line('proc4', 68) }));
  // Numbers of <linux/nfs4.h>, across the list.
  for (const [name, number] of [
    ['OpenDowngrade', 7],
    ['Lookup', 19],
    ['Secinfo', 36],
    ['ExchangeID', 38],
    ['GetDeviceInfo', 44],
    ['LayoutGet', 45],
    ['DestroyClientID', 53],
    ['Clone', 58],
  ] as const)
    assert.equal(requests.get(`4 ${name}`), number, name);
});

test('nfs has the procedures of NFSv2', async (t) => {
  assert.equal((await numbered(tree(t, { [FILE]: line('proc2', 18) }))).get('2 FsStat'), 17);
});

for (const [why, odd, family] of [
  ['a short line', 'net 1 2 3', 'node_nfs_packets_total'],
  ['too few procedures', 'proc3 2 0 0', 'proto="3"'],
  ['too few procedures of NFSv2', `proc2 17 ${'0 '.repeat(17)}`, 'proto="2"'],
  ['what is no number', 'proc4 2 1 x', 'proto="4"'],
] as const)
  test(`nfs: ${why} costs itself alone, and is not taken for 0`, async (t) => {
    const root = tree(t, { [FILE]: `rpc 5 6 7\n${odd}\n` });
    const { text, error, faultsTotal } = await prepared(nfs, { root })();
    assert.equal((error as Error).message, new ParseError(`${root}/${FILE}`, odd).message);
    assert.equal(faultsTotal, 1);
    assert.match(text, /^node_nfs_rpcs_total 5$/m);
    assert.equal(
      [2, 3, 4].filter((version) => text.includes(`proto="${version}"`)).length,
      family.startsWith('p') ? 2 : 3,
    );
    assert.ok(!text.includes(family));
  });

test('nfs passes over a line that it does not know', async (t) => {
  const { text, success } = await scrape(nfs, { root: tree(t, { [FILE]: 'net 1 2 3 4\nxprt 1\n' }) });
  assert.ok(success);
  assert.match(text, /^node_nfs_connections_total 4$/m);
});

test('nfs refuses an empty file', async (t) => {
  const { text, error } = await scrape(nfs, { root: tree(t, { [FILE]: '' }) });
  assert.ok(error instanceof ParseError);
  assert.equal(text, '');
});

test('nfs: no client is no data', async (t) => {
  assert.ok((await scrape(nfs, { root: tree(t, {}) })).error instanceof NoDataError);
});
