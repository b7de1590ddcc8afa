import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import netstat, { netstatParser, parseSnmp6Line, splitSnmp6 } from '../../src/collectors/netstat.ts';
import { ParseError } from '../../src/core/errors.ts';
import { golden, scrape, tree } from '../helpers/scrape.ts';

const all = (): boolean => true;
const parseNetstat = (file: string, text: string) => netstatParser(file, all)(text);

test('netstat: the fixtures scrape to the golden text', (t) => golden(t, netstat));
test('netstat: every field, on demand', (t) =>
  golden(t, netstat, { argv: ['--collector.netstat.fields='] }, 'netstat_all'));

test('parseNetstat reads pairs of lines, and negative numbers', () => {
  assert.deepEqual(
    parseNetstat('x', 'Tcp: MaxConn InSegs\nTcp: -1 18446744073709551615\nMPTcpExt:\nMPTcpExt:\n'),
    new Map([
      [
        'Tcp',
        new Map([
          ['MaxConn', -1],
          ['InSegs', 2 ** 64],
        ]),
      ],
      ['MPTcpExt', new Map()],
    ]),
  );
});

for (const [why, text] of [
  ['an empty line', '\n'],
  ['names without values', 'Tcp: A B\n'],
  ['too few values', 'Tcp: A B\nTcp: 1\n'],
  ['too many values', 'Tcp: A B\nTcp: 1 2 3\n'],
  ['values of another protocol', 'Tcp: A B\nUdp: 1 2\n'],
  ['what is not a number', 'Tcp: A B\nTcp: 1 x\n'],
  ['a label without a colon', 'Tcp A\nTcp 1\n'],
] as const)
  test(`parseNetstat refuses ${why}`, () => assert.throws(() => parseNetstat('x', text), ParseError));

test('a parser that is used again follows lines of names that change', () => {
  const parse = netstatParser('x', (_, name) => name !== 'B');
  const values = (text: string): unknown => Object.fromEntries(parse(text).get('Tcp') ?? []);
  assert.deepEqual(values('Tcp: A B\nTcp: 1 2\n'), { A: 1 });
  assert.deepEqual(values('Tcp: A B\nTcp: 3 4\n'), { A: 3 });
  assert.deepEqual(values('Tcp: B C A\nTcp: 1 2 3\n'), { C: 2, A: 3 });
  assert.throws(() => parse('Tcp: A B\nTcp: 1 x\n'), ParseError, 'a value that is not wanted');
});

test('parseNetstat reads back what was written', () =>
  fc.assert(
    fc.property(fc.dictionary(fc.stringMatching(/^[A-Z][A-Za-z]{0,8}$/), fc.maxSafeInteger()), (statistics) => {
      const names = Object.keys(statistics);
      const text = `X: ${names.join(' ')}\nX: ${names.map((name) => statistics[name]).join(' ')}\n`;
      assert.deepEqual(Object.fromEntries(parseNetstat('x', text).get('X') ?? []), { ...statistics });
    }),
  ));

test('parseSnmp6Line reads a name and a value, and passes over what has none', () => {
  assert.deepEqual(parseSnmp6Line('Ip6InReceives \t7'), { name: 'Ip6InReceives', value: 7 });
  assert.equal(parseSnmp6Line('Other 1'), undefined);
  assert.equal(parseSnmp6Line('Ip6Lonely'), undefined);
  assert.throws(() => parseSnmp6Line('Ip6InReceives x'), ParseError);
});

test('splitSnmp6 takes the protocol from the name', () => {
  assert.deepEqual(splitSnmp6('Icmp6InMsgs'), ['Icmp6', 'InMsgs']);
  assert.deepEqual(splitSnmp6('Ip6OutOctets'), ['Ip6', 'OutOctets']);
});

test('netstat: without IPv6 there are the others, without snmp there is a fault', async (t) => {
  const files = { 'proc/net/netstat': 'TcpExt: ListenDrops\nTcpExt: 1\n', 'proc/net/snmp': 'Ip: Forwarding\nIp: 2\n' };
  const { text, success } = await scrape(netstat, { root: tree(t, files) });
  assert.ok(success);
  assert.deepEqual(text.match(/^node.*$/gm), ['node_netstat_Ip_Forwarding 2', 'node_netstat_TcpExt_ListenDrops 1']);
  for (const gone of Object.keys(files)) {
    const rest = Object.entries(files).filter(([path]) => path !== gone);
    assert.equal((await scrape(netstat, { root: tree(t, Object.fromEntries(rest)) })).success, false);
  }
});
