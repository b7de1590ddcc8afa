import assert from 'node:assert/strict';
import { test } from 'node:test';
import cgroups, { parseCgroups } from '../../src/collectors/cgroups.ts';
import { ParseError } from '../../src/core/errors.ts';
import { golden, scrape, tree } from '../helpers/scrape.ts';

test('parseCgroups skips the heading', () => {
  assert.deepEqual(parseCgroups('#subsys_name\thierarchy\tnum_cgroups\tenabled\nmemory\t0\t143\t1\n'), [
    { name: 'memory', cgroups: 143, enabled: 1 },
  ]);
});

for (const [why, text] of [
  ['a line that is too short', 'memory\t0\t143\n'],
  ['an empty line', '\n'],
  ['a count that is not a number', 'memory\t0\tx\t1\n'],
] as const)
  test(`parseCgroups refuses ${why}`, () => assert.throws(() => parseCgroups(text), ParseError));

test('cgroups: the fixtures scrape to the golden text', (t) => golden(t, cgroups));

test('cgroups fails where there is no file', async (t) => {
  const { success } = await scrape(cgroups, { root: tree(t, { 'proc/x': '' }) });
  assert.equal(success, false);
});
