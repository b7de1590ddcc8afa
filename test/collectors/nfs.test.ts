import assert from 'node:assert/strict';
import { test } from 'node:test';
import nfs, { parseNfs } from '../../src/collectors/nfs.ts';
import { NoDataError, ParseError } from '../../src/core/errors.ts';
import { golden, scrape, tree } from '../helpers/scrape.ts';

test('nfs: the fixtures scrape to the golden text', (t) => golden(t, nfs));

test('parseNfs takes a kernel with fewer operations, or without a version, as one that never called them', () => {
  const { net, rpc, requests } = parseNfs('net 1 2 3 4\nproc4 3 7 8 9\n');
  assert.deepEqual(net, [1, 2, 3, 4]);
  assert.equal(rpc, undefined);
  assert.deepEqual(
    requests.map(([proto, methods]) => [proto, methods.length]),
    [
      ['2', 18],
      ['3', 22],
      ['4', 59],
    ],
  );
  const called = requests.flatMap(([proto, methods]) =>
    methods.filter(([, count]) => count > 0).map((m) => [proto, ...m]),
  );
  assert.deepEqual(called, [
    ['4', 'Null', 7],
    ['4', 'Read', 8],
    ['4', 'Write', 9],
  ]);
});

test('parseNfs has the operations of NFSv4 in the order of the kernel, but for two that node_exporter swaps', () => {
  const numbered = Array.from({ length: 68 }, (_, i) => i);
  const [, , [, methods] = ['', []]] = parseNfs(`proc4 68 ${numbered.join(' ')}\n`).requests;
  const byName = new Map(methods);
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
    assert.equal(byName.get(name), number, name);
});

test('parseNfs has the procedures of NFSv2', () => {
  const numbered = Array.from({ length: 18 }, (_, i) => i);
  const [[, methods] = ['', []]] = parseNfs(`proc2 18 ${numbered.join(' ')}\n`).requests;
  assert.deepEqual(methods.at(-1), ['FsStat', 17]);
});

for (const [why, text] of [
  ['an unknown line', 'net 1 2 3 4\nxprt 1\n'],
  ['a short line', 'net 1 2 3\n'],
  ['too few procedures', 'proc3 2 0 0\n'],
  ['too few procedures of NFSv2', `proc2 17 ${'0 '.repeat(17)}\n`],
  ['an empty file', ''],
] as const)
  test(`parseNfs refuses ${why}`, () => assert.throws(() => parseNfs(text), ParseError));

test('nfs: no client is no data', async (t) => {
  assert.ok((await scrape(nfs, { root: tree(t, {}) })).error instanceof NoDataError);
});
