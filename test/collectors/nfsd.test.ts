import assert from 'node:assert/strict';
import { test } from 'node:test';
import nfsd from '../../src/collectors/nfsd.ts';
import { NoDataError, ParseError } from '../../src/core/errors.ts';
import { golden, prepared, scrape, tree } from '../helpers/scrape.ts';

const FILE = 'proc/net/rpc/nfsd';
const REQUEST = /^node_nfsd_requests_total\{method="(.*)",proto="(.)"\} (.*)$/gm;

test('nfsd: the fixtures scrape to the golden text', (t) => golden(t, nfsd));

/** Requests by version of the protocol and method. */
async function requestsOf(root: string): Promise<Map<string, number>> {
  const { text, error } = await scrape(nfsd, { root });
  assert.equal(error, undefined);
  return new Map([...text.matchAll(REQUEST)].map(([, method, proto, count]) => [`${proto} ${method}`, Number(count)]));
}

test('nfsd has the operations of NFSv4 by their numbers in RFC 7530', async (t) => {
  const numbered = Array.from({ length: 40 }, (_, i) => i);
  const requests = await requestsOf(tree(t, { [FILE]: `proc4ops 40 ${numbered.join(' ')}\nwdeleg_getattr 99\n` }));
  assert.equal([...requests.keys()].filter((key) => key.startsWith('4')).length, 36);
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
    assert.equal(requests.get(`4 ${name}`), number, name);
  assert.equal(requests.size, 17 + 21 + 36);
});

test('nfsd takes a server that does not count RELEASE_LOCKOWNER', async (t) => {
  const requests = await requestsOf(tree(t, { [FILE]: `proc4ops 39 ${'7 '.repeat(39)}\n` }));
  assert.deepEqual([requests.get('4 Verify'), requests.get('4 RelLockOwner')], [7, 0]);
});

for (const [why, odd, missing] of [
  ['a short line', 'fh 0 0', 'node_nfsd_file_handles'],
  ['threads that are no number', 'th x 0 0.000', 'node_nfsd_server_threads'],
  ['too few operations', `proc4ops 38 ${'0 '.repeat(38)}`, 'method="Lockt",proto="4"'],
] as const)
  test(`nfsd: ${why} costs itself alone`, async (t) => {
    const root = tree(t, { [FILE]: `io 7 8\n${odd}\n` });
    const { text, error, faultsTotal } = await prepared(nfsd, { root })();
    assert.equal((error as Error).message, new ParseError(`${root}/${FILE}`, odd).message);
    assert.equal(faultsTotal, 1);
    assert.match(text, /^node_nfsd_disk_bytes_read_total 7$/m);
    assert.match(text, /^node_nfsd_requests_total\{method="Read",proto="3"\} 0$/m);
    assert.ok(!text.includes(missing));
  });

test('nfsd passes over a line that it does not know; a line that is not there has no family', async (t) => {
  const { text, success } = await scrape(nfsd, { root: tree(t, { [FILE]: 'io 7 8\nnew 1\n' }) });
  assert.ok(success);
  assert.match(text, /^node_nfsd_disk_bytes_read_total 7$/m);
  assert.doesNotMatch(text, /node_nfsd_server_threads/);
});

test('nfsd refuses an empty file', async (t) => {
  const { text, error } = await scrape(nfsd, { root: tree(t, { [FILE]: '' }) });
  assert.ok(error instanceof ParseError);
  assert.equal(text, '');
});

test('nfsd: no server is no data', async (t) => {
  assert.ok((await scrape(nfsd, { root: tree(t, {}) })).error instanceof NoDataError);
});
