import assert from 'node:assert/strict';
import { test } from 'node:test';
import sockstat from '../../src/collectors/sockstat.ts';
import { pageSizeBytes } from '../../src/parse/auxv.ts';
import { testFile } from '../helpers/odd.ts';
import { golden, scrape, tree } from '../helpers/scrape.ts';

test('sockstat: the fixtures scrape to the golden text', { skip: pageSizeBytes() !== 4096 }, (t) =>
  golden(t, sockstat),
);

const USED = 'sockets: used 9\n';
const used = 'node_sockstat_sockets_used 9';

testFile(
  sockstat,
  'proc/net/sockstat',
  [
    [
      'pairs of names and numbers; memory in pages and bytes',
      `${USED}TCP: inuse 3 mem 2\n`,
      ['node_sockstat_TCP_inuse 3', 'node_sockstat_TCP_mem 2', 'node_sockstat_TCP_mem_bytes 20000', used],
    ],
    ['a number that is hexadecimal', 'sockets: used 0x10\n', ['node_sockstat_sockets_used 16']],
    ['a name that is not exposed', 'sockets: used 9 new 1\n', [used]],
    ...(
      [
        ['a label alone', 'TCP:'],
        ['a name without a number', 'TCP: inuse 3 mem'],
        ['a line without a label', 'TCP inuse 3 mem 2'],
        ['what is not a number', 'TCP: inuse many'],
      ] as const
    ).map(([why, line]) => [why, `${line}\n${USED}`, [used], line] as const),
  ],
  { system: { pageSizeBytes: 10_000 } },
);

testFile(
  sockstat,
  'proc/net/sockstat6',
  [
    [
      'no sockets in use',
      'TCP6: mem 3\n',
      ['node_sockstat_TCP6_inuse 0', 'node_sockstat_TCP6_mem 3', 'node_sockstat_TCP6_mem_bytes 30000'],
    ],
  ],
  { system: { pageSizeBytes: 10_000 } },
);
testFile(
  sockstat,
  'proc/net/sockstat6',
  [['pages whose size is not known', 'TCP6: mem 3\n', ['node_sockstat_TCP6_inuse 0', 'node_sockstat_TCP6_mem 3']]],
  { system: { pageSizeBytes: undefined } },
);

test('sockstat: missing files are no fault', async (t) => {
  assert.deepEqual(await scrape(sockstat, { root: tree(t, {}) }), { text: '', success: true, error: undefined });
});
