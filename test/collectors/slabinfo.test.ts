import assert from 'node:assert/strict';
import { test } from 'node:test';
import slabinfo, { parseSlabinfo } from '../../src/collectors/slabinfo.ts';
import { ParseError } from '../../src/core/errors.ts';
import { golden, scrape, tree } from '../helpers/scrape.ts';

const LINE = 'dentry 198312 204813 192 21 1 : tunables 0 0 0 : slabdata 9753 9753 0';

test('parseSlabinfo reads a cache', () => {
  assert.deepEqual(parseSlabinfo(`slabinfo - version: 2.1\n# name <active_objs>\n${LINE}\n`), [
    {
      name: 'dentry',
      activeObjects: 198312,
      objects: 204813,
      objectSizeBytes: 192,
      objectsPerSlab: 21,
      pagesPerSlab: 1,
    },
  ]);
});

for (const [why, text] of [
  ['a line with a field less', LINE.slice(0, -2)],
  ['a line with a field more', `${LINE} 1`],
  ['an empty line', '\n'],
  ['what is not a number', LINE.replace('192', 'x')],
] as const)
  test(`parseSlabinfo refuses ${why}`, () => assert.throws(() => parseSlabinfo(text), ParseError));

test('slabinfo: the fixtures scrape to the golden text', (t) => golden(t, slabinfo));

test('slabinfo includes and leaves out, both at once', async () => {
  const argv = ['--collector.slabinfo.slabs-include=^(dentry|TCP)', '--collector.slabinfo.slabs-exclude=v6$'];
  const { text } = await scrape(slabinfo, { argv });
  assert.deepEqual([...new Set(text.match(/(?<=slab=")[^"]+/g))], ['dentry']);
});

test('slabinfo fails where there is no file', async (t) => {
  const { success } = await scrape(slabinfo, { root: tree(t, { 'proc/x': '' }) });
  assert.equal(success, false);
});
