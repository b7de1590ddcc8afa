import assert from 'node:assert/strict';
import { test } from 'node:test';
import nfsd, { nfsdRequests, parseNfsd } from '../../src/collectors/nfsd.ts';
import { NoDataError, ParseError } from '../../src/core/errors.ts';
import { golden, scrape, tree } from '../helpers/scrape.ts';

test('nfsd: the fixtures scrape to the golden text', (t) => golden(t, nfsd));

test('nfsdRequests has the operations of NFSv4 by their numbers in RFC 7530', () => {
  const numbered = Array.from({ length: 40 }, (_, i) => i);
  const requests = [...nfsdRequests(parseNfsd(`proc4ops 40 ${numbered.join(' ')}\nwdeleg_getattr 99\n`))];
  const v4 = new Map(requests.filter(([proto]) => proto === '4').map(([, method, count]) => [method, count]));
  assert.equal(v4.size, 36);
  for (const [name, number] of [
    ['Access', 3],
    ['Lookup', 15],
    ['PutFH', 22],
    ['Read', 25],
    ['SetClientID', 35],
    ['Write', 38],
    ['RelLockOwner', 39],
    ['WdelegGetattr', 99],
  ] as const)
    assert.equal(v4.get(name), number, name);
  assert.equal(requests.length, 17 + 21 + 36);
});

test('parseNfsd takes a server that does not count RELEASE_LOCKOWNER', () => {
  const requests = [...nfsdRequests(parseNfsd(`proc4ops 39 ${'7 '.repeat(39)}\n`))];
  const count = (wanted: string): number | undefined => requests.find(([, method]) => method === wanted)?.[2];
  assert.deepEqual([count('Verify'), count('RelLockOwner')], [7, 0]);
});

for (const [why, text] of [
  ['an unknown line', 'rc 0 0 0\nnew 1\n'],
  ['a short line', 'fh 0 0\n'],
  ['threads that are no number', 'th x 0 0.000\n'],
  ['too few operations', `proc4ops 38 ${'0 '.repeat(38)}\n`],
  ['an empty file', ''],
] as const)
  test(`parseNfsd refuses ${why}`, () => assert.throws(() => parseNfsd(text), ParseError));

test('nfsd: no server is no data; a line that is not there has no family', async (t) => {
  assert.ok((await scrape(nfsd, { root: tree(t, {}) })).error instanceof NoDataError);
  const { text, success } = await scrape(nfsd, { root: tree(t, { 'proc/net/rpc/nfsd': 'io 7 8\n' }) });
  assert.ok(success);
  assert.match(text, /^node_nfsd_disk_bytes_read_total 7$/m);
  assert.doesNotMatch(text, /node_nfsd_server_threads/);
});
