import assert from 'node:assert/strict';
import { test } from 'node:test';
import stat, { parseStat } from '../../src/collectors/stat.ts';
import { ParseError } from '../../src/core/errors.ts';
import { golden, scrape, tree } from '../helpers/scrape.ts';

test('parseStat reads the totals, however long the line of interrupts', () => {
  const text = `cpu  1 2 3 4\nintr 77${' 0'.repeat(5000)}\nctxt 8\nbtime 9\nsoftirq 10 1 2 3\n`;
  const { totals, softirqs } = parseStat(text);
  assert.deepEqual(Object.fromEntries(totals), { intr: 77, ctxt: 8, btime: 9 });
  assert.deepEqual(softirqs, [1, 2, 3]);
});

for (const [why, text] of [
  ['a line without its number', 'ctxt\n'],
  ['a number with a sign', 'btime -5\n'],
  ['what is not a number', 'processes many\n'],
  ['a soft interrupt that is not a number', 'softirq 10 1 x 3\n'],
] as const)
  test(`parseStat refuses ${why}`, () => assert.throws(() => parseStat(text), ParseError));

test('stat: the fixtures scrape to the golden text', (t) => golden(t, stat, { argv: ['--collector.stat.softirq'] }));

test('stat leaves soft interrupts out unless asked', async () => {
  const { text } = await scrape(stat);
  assert.doesNotMatch(text, /softirqs/);
  assert.match(text, /^node_context_switches_total 6.1220984e\+07$/m);
});

test('stat exposes no number that the kernel does not write', async (t) => {
  const root = tree(t, { 'proc/stat': 'cpu  1 2 3 4\nctxt 8\nsoftirq 10 1\n' });
  const { text } = await scrape(stat, { root, argv: ['--collector.stat.softirq'] });
  assert.deepEqual(text.match(/^node.*$/gm), ['node_context_switches_total 8', 'node_softirqs_total{vector="hi"} 1']);
});

test('stat fails without its file', async (t) => {
  const { success } = await scrape(stat, { root: tree(t, {}) });
  assert.equal(success, false);
});
