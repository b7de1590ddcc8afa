import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import ipvs, { parseIpvsBackends, parseIpvsTotals, shortIpv6 } from '../../src/collectors/ipvs.ts';
import { NoDataError, ParseError, UsageError } from '../../src/core/errors.ts';
import { golden, prepared, scrape, tree } from '../helpers/scrape.ts';

const TOTALS =
  '   Total Incoming …\n   Conns  Packets …\n       A        B        C                D                E\n';
const LABELS = '--collector.ipvs.backend-labels';

test('ipvs: the fixtures scrape to the golden text', (t) => golden(t, ipvs));
test('ipvs: servers that share their labels are added up', (t) =>
  golden(t, ipvs, { argv: [`${LABELS}=proto,local_address`] }, 'ipvs_labels'));
test('ipvs: without labels everything is added up', (t) => golden(t, ipvs, { argv: [`${LABELS}=`] }, 'ipvs_no_labels'));

test('ipvs: a comma too many does no harm', async () => {
  const [plain, comma] = await Promise.all(
    ['proto', ',proto,'].map((labels) => scrape(ipvs, { argv: [`${LABELS}=${labels}`] })),
  );
  assert.deepEqual(comma, plain);
  assert.match(comma?.text ?? '', /^node_ipvs_backend_weight\{proto="TCP"\}/m);
});

test('ipvs: an unknown label is refused at the start', () => {
  assert.throws(() => prepared(ipvs, { argv: [`${LABELS}=proto,weight`] }), UsageError);
});

test('parseIpvsTotals reads the third line', () => {
  assert.deepEqual(parseIpvsTotals(TOTALS), {
    connections: 10,
    incomingPackets: 11,
    outgoingPackets: 12,
    incomingBytes: 13,
    outgoingBytes: 14,
  });
});

for (const [why, text] of [
  ['nothing', ''],
  ['too few lines', TOTALS.split('\n').slice(0, 2).join('\n')],
  ['too few numbers', TOTALS.replace('E', '')],
  ['too many numbers', TOTALS.replace('E', 'E F')],
  ['what is not hexadecimal', TOTALS.replace('E', 'x')],
] as const)
  test(`parseIpvsTotals refuses ${why}`, () => assert.throws(() => parseIpvsTotals(text), ParseError));

const SERVER = '  -> C0000229:01BB      Route   100    31         12        \n';

for (const [why, text] of [
  ['a service without an address', `TCP\n${SERVER}`],
  ['a service with half an address', 'TCP  C00002:01BB wlc\n'],
  ['a mark that is not hexadecimal', 'FWM  mark rr\n'],
  ['a server without a service', SERVER],
  ['a server without an address', `TCP  C0000215:01BB wlc\n  ->\n`],
  ['a server without its numbers', `TCP  C0000215:01BB wlc\n${SERVER.replace('12', '')}`],
  ['a negative weight', `TCP  C0000215:01BB wlc\n${SERVER.replace('100', '-1')}`],
] as const)
  test(`parseIpvsBackends refuses ${why}`, () => assert.throws(() => parseIpvsBackends(text), ParseError));

for (const [full, short] of [
  ['0000:0000:0000:0000:0000:0000:0000:0000', '::'],
  ['0000:0000:0000:0000:0000:0000:0000:0001', '::1'],
  ['fe80:0000:0000:0000:0000:0000:0000:0000', 'fe80::'],
  ['2001:0db8:0000:0000:0001:0000:0000:0021', '2001:db8::1:0:0:21'],
  ['2001:0db8:0000:0001:0000:0000:0000:0021', '2001:db8:0:1::21'],
  ['2001:0db8:0000:0001:0002:0003:0004:0021', '2001:db8:0:1:2:3:4:21'],
  ['0000:0000:0000:0000:0000:ffff:c000:0215', '192.0.2.21'],
] as const)
  test(`shortIpv6 writes ${full} as ${short}`, () => assert.equal(shortIpv6(full), short));

test('shortIpv6 writes as the URL standard does', () =>
  fc.assert(
    fc.property(fc.array(fc.constantFrom(0, 0, 1, 0x10, 0xfe80), { minLength: 8, maxLength: 8 }), (groups) => {
      const full = groups.map((group) => group.toString(16).padStart(4, '0')).join(':');
      assert.equal(`[${shortIpv6(full)}]`, new URL(`http://[${full}]/`).hostname);
    }),
  ));

test('ipvs: no module is no data; totals alone are told before the fault', async (t) => {
  assert.ok((await scrape(ipvs, { root: tree(t, {}) })).error instanceof NoDataError);
  const { text, success } = await scrape(ipvs, { root: tree(t, { 'proc/net/ip_vs_stats': TOTALS }) });
  assert.equal(success, false);
  assert.match(text, /^node_ipvs_connections_total 10$/m);
});
