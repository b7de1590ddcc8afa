import assert from 'node:assert/strict';
import { test } from 'node:test';
import sysctl, { parseSysctl } from '../../src/collectors/sysctl.ts';
import { ParseError } from '../../src/core/errors.ts';
import { golden, scrape, tree } from '../helpers/scrape.ts';

const include = (text: string): string => `--collector.sysctl.include=${text}`;
const includeInfo = (text: string): string => `--collector.sysctl.include-info=${text}`;

test('parseSysctl splits name and keys', () => {
  assert.deepEqual(parseSysctl('a.b'), { name: 'a.b', keys: [] });
  assert.deepEqual(parseSysctl('a.b:x,y'), { name: 'a.b', keys: ['x', 'y'] });
});

test('sysctl: the fixtures scrape to the golden text', (t) =>
  golden(t, sysctl, {
    argv: [
      include('kernel.core_pipe_limit'),
      include('net.ipv4.ip_local_port_range:low,high'),
      include('net.ipv4.tcp_notsent_lowat'),
      include('net.ipv4.tcp_rmem'),
      includeInfo('net.ipv4.tcp_available_congestion_control'),
      includeInfo('net.ipv4.tcp_congestion_control'),
    ],
  }));

test('without flags there is nothing', async () => assert.equal((await scrape(sysctl)).text, ''));

test('numbers may be negative, octal or hexadecimal', async (t) => {
  const root = tree(t, { 'proc/sys/a/n': '-1\t0x10 010\n' });
  const { text } = await scrape(sysctl, { root, argv: [include('a.n')] });
  assert.equal(
    text.replaceAll(/^#.*\n/gm, ''),
    'node_sysctl_a_n{index="0"} -1\nnode_sysctl_a_n{index="1"} 16\nnode_sysctl_a_n{index="2"} 8\n',
  );
});

test('a value of more than 128 bytes is taken whole', async (t) => {
  const long = 'x'.repeat(200);
  const root = tree(t, { 'proc/sys/a/n': `${long}\n` });
  const { text } = await scrape(sysctl, { root, argv: [includeInfo('a.n')] });
  assert.match(text, new RegExp(`value="${long}"`));
});

for (const [why, flag, file] of [
  ['a word where a number is asked for', include('a.n'), '1 x\n'],
  ['no value', include('a.n'), '\n'],
  ['fewer values than keys', include('a.n:x,y,z'), '1 2\n'],
  ['more values than keys', include('a.n:x,y'), '1 2 3\n'],
  ['one value with a key', include('a.n:x'), '1\n'],
  ['keys for words', includeInfo('a.n:x,y'), 'one two\n'],
] as const)
  test(`${why} fails that sysctl and not the others`, async (t) => {
    const root = tree(t, { 'proc/sys/a/n': file, 'proc/sys/b': '7\n' });
    const { text, error } = await scrape(sysctl, { root, argv: [flag, include('b')] });
    assert.ok(error instanceof ParseError);
    assert.match(text, /^node_sysctl_b 7$/m);
    assert.doesNotMatch(text, /sysctl_a|a\.n/);
  });

test('a sysctl that is not there is a failure', async (t) => {
  const { success } = await scrape(sysctl, { root: tree(t, {}), argv: [include('a.n')] });
  assert.equal(success, false);
});

test('a sysctl is found by any letters', async (t) => {
  const root = tree(t, { 'proc/sys/net/ipv4/conf/ethü/mtu': '7\n' });
  assert.match((await scrape(sysctl, { root, argv: [include('net.ipv4.conf.ethü.mtu')] })).text, / 7$/m);
});
