import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import netstat, { splitSnmp6 } from '../../src/collectors/netstat.ts';
import { formatFloat } from '../../src/core/format.ts';
import { samplesIn, testFile } from '../helpers/odd.ts';
import { golden, prepared, scrape, tree } from '../helpers/scrape.ts';

const ALL = '--collector.netstat.fields=';
const NETSTAT = 'proc/net/netstat';
const IP = { 'proc/net/snmp': 'Ip: Forwarding\nIp: 2\n' };
const ip = 'node_netstat_Ip_Forwarding 2';

test('netstat: the fixtures scrape to the golden text', (t) => golden(t, netstat));
test('netstat: every field, on demand', (t) => golden(t, netstat, { argv: [ALL] }, 'netstat_all'));

const UDP = 'Udp: InErrors\nUdp: 7\n';
const udp = 'node_netstat_Udp_InErrors 7';

testFile(
  netstat,
  NETSTAT,
  [
    [
      'pairs of lines, and negative numbers',
      'Tcp: MaxConn InSegs\nTcp: -1 18446744073709551615\nMPTcpExt:\nMPTcpExt:\n',
      [ip, 'node_netstat_Tcp_InSegs 1.8446744073709552e+19', 'node_netstat_Tcp_MaxConn -1'],
    ],
    ['names without values', `${UDP}Tcp: A B\n`, [ip, udp], 'Tcp: A B'],
    ['names without values before others', `Tcp: A B\n${UDP}`, [ip, udp], 'Tcp: A B'],
    ['values of another protocol', `Tcp: A B\nTap: 1 2\n${UDP}`, [ip, udp], ['Tcp: A B', 'Tap: 1 2']],
    ['blank lines', `\n\n${UDP}`, [ip, udp]],
    ['a blank line between names and values', UDP.replace('\n', '\n\n'), [ip, udp]],
    ...(
      [
        ['too few values', 'Tcp: A B', 'Tcp: 1'],
        ['too many values', 'Tcp: A B', 'Tcp: 1 2 3'],
        ['what is not a number', 'Tcp: A B', 'Tcp: 1 x'],
        ['a label without a colon', 'Tcp A', 'Tcp 1'],
      ] as const
    ).map(([why, names, values]) => [why, `${names}\n${values}\n${UDP}`, [ip, udp], values] as const),
  ],
  { argv: [ALL], files: IP },
);

testFile(
  netstat,
  NETSTAT,
  [
    [
      'a value that is not wanted and no number',
      `Tcp: InSegs New\nTcp: 1 x\n${UDP}`,
      [ip, 'node_netstat_Tcp_InSegs 1', udp],
    ],
    ['a group that is new', `New: A\nNew: x\n${UDP}`, [ip, udp]],
  ],
  { files: IP },
);

test('netstat follows lines of names that change', async (t) => {
  const root = tree(t, IP);
  const again = prepared(netstat, { root, argv: ['--collector.netstat.fields=^Tcp_[^B]$'] });
  const values = async (text: string): Promise<string[]> => {
    writeFileSync(join(root, NETSTAT), text);
    const scraped = await again();
    assert.equal(scraped.error, undefined);
    return samplesIn(scraped.text).map((sample) => sample.replace('node_netstat_Tcp_', ''));
  };
  assert.deepEqual(await values('Tcp: A B\nTcp: 1 2\n'), ['A 1']);
  assert.deepEqual(await values('Tcp: A B\nTcp: 3 4\n'), ['A 3']);
  assert.deepEqual(await values('Tcp: B C A\nTcp: 1 2 3\n'), ['A 3', 'C 2']);
});

test('netstat reads back what was written', (t) =>
  fc.assert(
    fc.asyncProperty(
      fc.dictionary(fc.stringMatching(/^[A-Z][A-Za-z]{0,8}$/), fc.maxSafeInteger()),
      async (statistics) => {
        const names = Object.keys(statistics);
        const text = `X: ${names.join(' ')}\nX: ${names.map((name) => statistics[name]).join(' ')}\n`;
        const { text: written } = await scrape(netstat, { root: tree(t, { ...IP, [NETSTAT]: text }), argv: [ALL] });
        const expected = names.map((name) => `node_netstat_X_${name} ${formatFloat(statistics[name] as number)}`);
        assert.deepEqual(samplesIn(written).sort(), [ip, ...expected].sort());
      },
    ),
    { numRuns: 30 },
  ));

testFile(
  netstat,
  'proc/net/snmp6',
  [
    ['a name and a value', 'Ip6InOctets \t7\n', ['node_netstat_Ip6_InOctets 7', ip]],
    [
      'what is not of IPv6, or has no value',
      'Other 1\nIp6Lonely\nIp6InOctets\n\nUdp6NoPorts 1\n',
      [ip, 'node_netstat_Udp6_NoPorts 1'],
      'Ip6InOctets',
    ],
    [
      'what is not a number',
      'Ip6InReceives x\nIp6InOctets x\nUdp6NoPorts 1\n',
      [ip, 'node_netstat_Udp6_NoPorts 1'],
      'Ip6InOctets x',
    ],
  ],
  { files: { ...IP, [NETSTAT]: 'X:\nX:\n' } },
);

test('splitSnmp6 takes the protocol from the name', () => {
  assert.deepEqual(splitSnmp6('Icmp6InMsgs'), ['Icmp6', 'InMsgs']);
  assert.deepEqual(splitSnmp6('Ip6OutOctets'), ['Ip6', 'OutOctets']);
});

test('netstat: without IPv6 there are the others, without snmp there is a fault', async (t) => {
  const files = { [NETSTAT]: 'TcpExt: ListenDrops\nTcpExt: 1\n', ...IP };
  const { text, success } = await scrape(netstat, { root: tree(t, files) });
  assert.ok(success);
  assert.deepEqual(samplesIn(text), [ip, 'node_netstat_TcpExt_ListenDrops 1']);
  for (const gone of Object.keys(files)) {
    const rest = Object.entries(files).filter(([path]) => path !== gone);
    const scraped = await scrape(netstat, { root: tree(t, Object.fromEntries(rest)) });
    assert.equal(scraped.success, false);
    assert.equal(samplesIn(scraped.text).length, 1, 'the other file is written');
  }
});
