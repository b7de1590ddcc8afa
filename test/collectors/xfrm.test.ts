import assert from 'node:assert/strict';
import { test } from 'node:test';
import xfrm, { parseXfrm } from '../../src/collectors/xfrm.ts';
import { ParseError } from '../../src/core/errors.ts';
import { golden, scrape, tree } from '../helpers/scrape.ts';

test('xfrm: the fixtures scrape to the golden text', (t) => golden(t, xfrm));

test('parseXfrm reads a name and a number on each line', () => {
  assert.deepEqual(
    parseXfrm('XfrmInError \t 3\nXfrmNew 4\n'),
    new Map([
      ['XfrmInError', 3],
      ['XfrmNew', 4],
    ]),
  );
});

for (const text of ['\n', 'XfrmInError\n', 'XfrmInError 1 2\n', 'XfrmInError x\n'])
  test(`parseXfrm refuses ${JSON.stringify(text)}`, () => assert.throws(() => parseXfrm(text), ParseError));

test('xfrm: what a kernel does not count is 0; without the file there is a fault', async (t) => {
  const { text } = await scrape(xfrm, { root: tree(t, { 'proc/net/xfrm_stat': 'XfrmInError 3\n' }) });
  const samples = text.match(/^node.*$/gm) ?? [];
  assert.equal(samples.length, 28);
  assert.deepEqual(
    samples.filter((sample) => !sample.endsWith(' 0')),
    ['node_xfrm_in_error_packets_total 3'],
  );
  assert.equal((await scrape(xfrm, { root: tree(t, {}) })).success, false);
});
