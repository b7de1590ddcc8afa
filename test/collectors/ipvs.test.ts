import assert from 'node:assert/strict';
import { test } from 'node:test';
import ipvs from '../../src/collectors/ipvs.ts';
import { NoDataError, ParseError, UsageError } from '../../src/core/errors.ts';
import { samplesIn, testFile } from '../helpers/odd.ts';
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

const STATS = 'proc/net/ip_vs_stats';
const totals = [
  'node_ipvs_connections_total 10',
  'node_ipvs_incoming_bytes_total 13',
  'node_ipvs_incoming_packets_total 11',
  'node_ipvs_outgoing_bytes_total 14',
  'node_ipvs_outgoing_packets_total 12',
];

testFile(ipvs, STATS, [['the third line', TOTALS, totals]]);

for (const [why, text] of [
  ['nothing', ''],
  ['too few lines', TOTALS.split('\n').slice(0, 2).join('\n')],
  ['too few numbers', TOTALS.replace('E', '')],
  ['too many numbers', TOTALS.replace('E', 'E F')],
  ['what is not hexadecimal', TOTALS.replace('E', 'x')],
] as const)
  test(`ipvs refuses totals of ${why}, and writes the servers`, async (t) => {
    const root = tree(t, { [STATS]: text, 'proc/net/ip_vs': GOOD });
    const scraped = await scrape(ipvs, { root });
    assert.ok(scraped.error instanceof ParseError);
    assert.deepEqual(samplesIn(scraped.text), good);
  });

const SERVICE = 'TCP  C0000215:01BB wlc\n';
const SERVER = '  -> C0000229:01BB      Route   100    31         12        \n';
const GOOD = `UDP  C0000216:0035 rr\n${SERVER}`;
const samplesOf = (local: string, port: string, proto: string, mark = ''): string[] =>
  [
    ['connections_active', 31],
    ['connections_inactive', 12],
    ['weight', 100],
  ].map(
    ([name, value]) =>
      `node_ipvs_backend_${name}{local_address="${local}",local_mark="${mark}",local_port="${port}",proto="${proto}",remote_address="192.0.2.41",remote_port="443"} ${value}`,
  );
const good = samplesOf('192.0.2.22', '53', 'UDP');

testFile(
  ipvs,
  'proc/net/ip_vs',
  [
    ['a server of a service', SERVICE + SERVER, [...samplesOf('192.0.2.21', '443', 'TCP'), ...totals]],
    ['a server of a mark', `FWM  00000010 rr\n${SERVER}`, [...samplesOf('', '0', 'FWM', '00000010'), ...totals]],
    ...(
      [
        ['a service without an address', 'TCP'],
        ['a service with half an address', 'TCP  C00002:01BB wlc'],
        ['a mark that is not hexadecimal', 'FWM  mark rr'],
        ['a server without a service', SERVER.slice(0, -1)],
        ['a server without an address', '  ->'],
      ] as const
    ).map(([why, line]) => [why, `${line}\n${GOOD}`, [...good, ...totals], line] as const),
    ...(
      [
        ['a server without its numbers', SERVER.replace('12', '')],
        ['a negative weight', SERVER.replace('100', '-1')],
      ] as const
    ).map(([why, line]) => [why, SERVICE + line + GOOD, [...good, ...totals], line.slice(0, -1)] as const),
    [
      'servers of a service that cannot be read',
      `TCP\n${SERVER}${GOOD}`,
      [...good, ...totals],
      ['TCP', SERVER.slice(0, -1)],
    ],
  ],
  { files: { [STATS]: TOTALS } },
);

for (const [full, short] of [
  ['0000:0000:0000:0000:0000:0000:0000:0000', '::'],
  ['0000:0000:0000:0000:0000:0000:0000:0001', '::1'],
  ['fe80:0000:0000:0000:0000:0000:0000:0000', 'fe80::'],
  ['2001:0db8:0000:0000:0001:0000:0000:0021', '2001:db8::1:0:0:21'],
  ['2001:0db8:0000:0001:0000:0000:0000:0021', '2001:db8:0:1::21'],
  ['2001:0db8:0000:0001:0002:0003:0004:0021', '2001:db8:0:1:2:3:4:21'],
  ['0000:0000:0000:0000:0000:ffff:c000:0215', '192.0.2.21'],
] as const)
  test(`ipvs writes ${full} as ${short}`, async (t) => {
    const root = tree(t, { [STATS]: TOTALS, 'proc/net/ip_vs': `TCP  [${full}]:0050 wlc\n${SERVER}` });
    const { text } = await scrape(ipvs, { root, argv: [`${LABELS}=local_address,local_port`] });
    assert.match(text, new RegExp(`^node_ipvs_backend_weight\\{local_address="${short}",local_port="80"\\} 100$`, 'm'));
  });

test('ipvs: no module is no data; totals alone are no fault', async (t) => {
  assert.ok((await scrape(ipvs, { root: tree(t, {}) })).error instanceof NoDataError);
  const { text, success } = await scrape(ipvs, { root: tree(t, { [STATS]: TOTALS }) });
  assert.equal(success, true);
  assert.match(text, /^node_ipvs_connections_total 10$/m);
});
