import assert from 'node:assert/strict';
import { test } from 'node:test';
import zoneinfo, { parseZoneinfo } from '../../src/collectors/zoneinfo.ts';
import { ParseError } from '../../src/core/errors.ts';
import { golden, scrape, tree } from '../helpers/scrape.ts';

const WANTED = new Set(['high', 'nr_free_pages']);

test('parseZoneinfo keeps what is wanted, by zone', () => {
  const text = [
    'Node 0, zone      DMA',
    '  pages free     3840',
    '        high     75',
    '        protection: (0, 3019, 4939)',
    '      nr_free_pages 3840',
    '  pagesets',
    '    cpu: 0',
    '              high:     7',
    'Node 1, zone   Normal',
    '        high     0x10',
    '',
  ].join('\n');
  assert.deepEqual(parseZoneinfo(text, WANTED), [
    {
      node: '0',
      zone: 'DMA',
      values: new Map([
        ['high', 75],
        ['nr_free_pages', 3840],
      ]),
      protection: [0, 3019, 4939],
    },
    { node: '1', zone: 'Normal', values: new Map([['high', 16]]), protection: [] },
  ]);
});

for (const [why, text] of [
  ['a value of no zone', '        high     75\n'],
  ['what is not a number', 'Node 0, zone DMA\n high x\n'],
  ['a name without a value', 'Node 0, zone DMA\n high\n'],
  ['a protection that is not numbers', 'Node 0, zone DMA\n protection: (0, x)\n'],
] as const)
  test(`parseZoneinfo refuses ${why}`, () => assert.throws(() => parseZoneinfo(text, WANTED), ParseError));

test('zoneinfo: the fixtures scrape to the golden text', (t) => golden(t, zoneinfo));

test('zoneinfo fails where there is no file', async (t) => {
  const { success } = await scrape(zoneinfo, { root: tree(t, { 'proc/x': '' }) });
  assert.equal(success, false);
});
