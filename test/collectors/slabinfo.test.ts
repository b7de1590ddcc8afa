import assert from 'node:assert/strict';
import { test } from 'node:test';
import slabinfo from '../../src/collectors/slabinfo.ts';
import { type LogFields, silent } from '../../src/core/log.ts';
import { testFile } from '../helpers/odd.ts';
import { golden, prepared, scrape, tree } from '../helpers/scrape.ts';

const HEADING = 'slabinfo - version: 2.1\n# name            <active_objs> <num_objs> <objsize>\n';
const BEHIND = ': tunables 0 0 0 : slabdata 9753 9753 0';
const LINE = `dentry 198312 204813 192 21 1 ${BEHIND}`;

const of = (slab: string, [active, objects, size, perSlab, pages]: readonly number[]): string[] => [
  `node_slabinfo_active_objects{slab="${slab}"} ${active}`,
  `node_slabinfo_object_size_bytes{slab="${slab}"} ${size}`,
  `node_slabinfo_objects{slab="${slab}"} ${objects}`,
  `node_slabinfo_objects_per_slab{slab="${slab}"} ${perSlab}`,
  `node_slabinfo_pages_per_slab{slab="${slab}"} ${pages}`,
];
const DENTRY = of('dentry', [198312, 204813, 192, 21, 1]);

testFile(slabinfo, 'proc/slabinfo', [
  ['a cache', `${HEADING}${LINE}\n`, DENTRY],
  ['a name with blanks', `${HEADING}my own cache 1 2 3 4 5 ${BEHIND}\n`, of('my own cache', [1, 2, 3, 4, 5])],
  ['a kernel that debugs slabs', `${HEADING}${LINE} : globalstat 1 2 3 4 5 6 7 8 9 : cpustat 1 2 3 4\n`, DENTRY],
  ['two caches of one name', `${HEADING}${LINE}\ndentry 1 2 3 4 5 ${BEHIND}\n`, DENTRY],
  ['a line with a field less', `${LINE}\n${LINE.slice(0, -2)}\n`, DENTRY, LINE.slice(0, -2)],
  ['a line with a field more', `${LINE} 1\n${LINE}\n`, DENTRY, `${LINE} 1`],
  ['a blank line', `${LINE}\n\n`, DENTRY],
  [
    'what is not a number',
    `${LINE}\n${LINE.replace('192', 'x').replace('dentry', 'a')}\n`,
    DENTRY,
    LINE.replace('192', 'x').replace('dentry', 'a'),
  ],
]);

test('slabinfo: the fixtures scrape to the golden text', (t) => golden(t, slabinfo));

test('slabinfo includes and leaves out, both at once', async () => {
  const argv = ['--collector.slabinfo.slabs-include=^(dentry|TCP)', '--collector.slabinfo.slabs-exclude=v6$'];
  const { text } = await scrape(slabinfo, { argv });
  assert.deepEqual([...new Set(text.match(/(?<=slab=")[^"]+/g))], ['dentry']);
});

test('a second cache of a name is logged once', async (t) => {
  const logged: LogFields[] = [];
  const log = { ...silent, info: (_: string, fields: LogFields = {}) => void logged.push(fields), with: () => log };
  const run = prepared(slabinfo, { log, root: tree(t, { 'proc/slabinfo': `${LINE}\n${LINE}\n` }) });
  await run();
  assert.equal((await run()).success, true);
  assert.deepEqual(
    logged.map((fields) => fields['what']),
    ['another cache of the name dentry'],
  );
});

test('slabinfo fails where there is no file', async (t) => {
  const { success } = await scrape(slabinfo, { root: tree(t, { 'proc/x': '' }) });
  assert.equal(success, false);
});
