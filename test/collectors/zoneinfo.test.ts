import assert from 'node:assert/strict';
import { test } from 'node:test';
import zoneinfo from '../../src/collectors/zoneinfo.ts';
import { ParseError } from '../../src/core/errors.ts';
import { testFile } from '../helpers/odd.ts';
import { golden, scrape, tree } from '../helpers/scrape.ts';

const of = (name: string, value: number, node = '0', zone = 'DMA'): string =>
  `node_zoneinfo_${name}{node="${node}",zone="${zone}"} ${value}`;

const ZONES = [
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

testFile(zoneinfo, 'proc/zoneinfo', [
  [
    'what is known, by zone',
    ZONES,
    [
      of('high_pages', 75),
      of('high_pages', 16, '1', 'Normal'),
      of('nr_free_pages', 3840),
      of('protection_0', 0),
      of('protection_1', 3019),
      of('protection_2', 4939),
    ],
  ],
  ['a value of no zone', ' high 75\nNode 0, zone DMA\n low 2\n', [of('low_pages', 2)]],
  ['what is not a number', 'Node 0, zone DMA\n high x\n low 2\n', [of('low_pages', 2)], ' high x'],
  ['a name without a value', 'Node 0, zone DMA\n high\n low 2\n', [of('low_pages', 2)], ' high'],
  ['a value too many', 'Node 0, zone DMA\n high 1 2\n low 2\n', [of('low_pages', 2)], ' high 1 2'],
  [
    'a protection that is not numbers',
    'Node 0, zone DMA\n protection: (0, x)\n low 2\n',
    [of('low_pages', 2)],
    ' protection: (0, x)',
  ],
  [
    'a heading that is odd costs what stands below it',
    'Node 0, zone DMA\n low 1\nNode x, zone Normal\n low 2\nNode 1, zone DMA\n low 3\n',
    [of('low_pages', 1), of('low_pages', 3, '1')],
    'Node x, zone Normal',
  ],
]);

for (const text of ['', ' high 75\n'])
  test(`zoneinfo without a zone is a fault: ${JSON.stringify(text)}`, async (t) => {
    const { error } = await scrape(zoneinfo, { root: tree(t, { 'proc/zoneinfo': text }) });
    assert.ok(error instanceof ParseError);
  });

test('zoneinfo: the fixtures scrape to the golden text', (t) => golden(t, zoneinfo));

test('zoneinfo fails where there is no file', async (t) => {
  const { success } = await scrape(zoneinfo, { root: tree(t, { 'proc/x': '' }) });
  assert.equal(success, false);
});
