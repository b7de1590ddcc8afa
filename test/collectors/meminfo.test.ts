import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import meminfo, { parseMeminfo } from '../../src/collectors/meminfo.ts';
import { ParseError } from '../../src/core/errors.ts';
import { golden, scrape, tree } from '../helpers/scrape.ts';

for (const [line, value, bytes] of [
  ['MemTotal: 16229384 kB', 16229384, 16618889216],
  ['HugePages_Free: 12', 12, 12],
  ['MemTotal: 0x10 kB', 16, 16384],
  ['MemTotal: 010 kB', 8, 8192],
  ['MemTotal: 18446744073709551615 kB', 2 ** 64, 2 ** 64 - 1024],
] as const)
  test(`parseMeminfo reads ${line}`, () => {
    assert.deepEqual([...parseMeminfo(`${line}\n`).values()], [{ value, bytes }]);
  });

for (const [why, text] of [
  ['a line with one field', 'MemTotal:\n'],
  ['an empty line', '\n'],
  ['a line with four fields', 'MemTotal: 1 kB x\n'],
  ['another unit', 'MemTotal: 1 MB\n'],
  ['what is not a number', 'MemTotal: x kB\n'],
  ['a negative number', 'MemTotal: -1 kB\n'],
  ['a number with a plus', 'MemTotal: +1 kB\n'],
  ['a number of more than 64 bits', 'MemTotal: 18446744073709551616 kB\n'],
  ['what is not a number in a line that is not exported', 'KReclaimable: x kB\n'],
] as const)
  test(`parseMeminfo refuses ${why}`, () => assert.throws(() => parseMeminfo(text), ParseError));

test('parseMeminfo gives bytes for whatever kB', () => {
  fc.assert(
    fc.property(fc.maxSafeNat(), (kib) => {
      const [field] = parseMeminfo(`MemFree: ${`${kib}`.padStart(8)} kB\n`).values();
      assert.deepEqual(field, { value: kib, bytes: kib * 1024 });
    }),
  );
});

test('meminfo: the fixtures scrape to the golden text', (t) => golden(t, meminfo));

test('meminfo gives what the file has and nothing else', async (t) => {
  const root = tree(t, { 'proc/meminfo': 'MemFree: 2 kB\nMemFree: 3 kB\nconstructor: 1 kB\n' });
  const { text, success } = await scrape(meminfo, { root });
  assert.equal(success, true);
  assert.deepEqual(text.match(/^[^#].*$/gm), ['node_memory_MemFree_bytes 3072']);
});

test('meminfo fails where there is no file', async (t) => {
  const { success } = await scrape(meminfo, { root: tree(t, { 'proc/x': '' }) });
  assert.equal(success, false);
});
