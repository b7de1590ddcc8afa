import assert from 'node:assert/strict';
import { test } from 'node:test';
import stat from '../../src/collectors/stat.ts';
import { testFile } from '../helpers/odd.ts';
import { golden, scrape, tree } from '../helpers/scrape.ts';

const softirq = ['--collector.stat.softirq'];

test('stat: the fixtures scrape to the golden text', (t) => golden(t, stat, { argv: softirq }));

const BTIME = 'btime 9\n';
const btime = 'node_boot_time_seconds 9';

testFile(
  stat,
  'proc/stat',
  [
    [
      'the totals, however long the line of interrupts',
      `cpu  1 2 3 4\nintr 77${' 0'.repeat(5000)}\nctxt 8\n${BTIME}softirq 10 1 2 3\n`,
      [
        btime,
        'node_context_switches_total 8',
        'node_intr_total 77',
        'node_softirqs_total{vector="hi"} 1',
        'node_softirqs_total{vector="net_tx"} 3',
        'node_softirqs_total{vector="timer"} 2',
      ],
    ],
    [
      'no number that the kernel does not write',
      'cpu  1 2 3 4\nctxt 8\nsoftirq 10 1\n',
      ['node_context_switches_total 8', 'node_softirqs_total{vector="hi"} 1'],
    ],
    ...(
      [
        ['a line without its number', 'ctxt'],
        ['a number with a sign', 'processes -5'],
        ['what is not a number', 'processes many'],
        ['a soft interrupt that is not a number', 'softirq 10 1 x 3'],
      ] as const
    ).map(([why, line]) => [why, `${line}\n${BTIME}`, [btime], line] as const),
  ],
  { argv: softirq },
);

test('stat leaves soft interrupts out unless asked', async () => {
  const { text } = await scrape(stat);
  assert.doesNotMatch(text, /softirqs/);
  assert.match(text, /^node_context_switches_total 6.1220984e\+07$/m);
});

test('stat fails without its file', async (t) => {
  const { success } = await scrape(stat, { root: tree(t, {}) });
  assert.equal(success, false);
});
