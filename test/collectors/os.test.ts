import assert from 'node:assert/strict';
import { test } from 'node:test';
import os, { parseDay, parseOsRelease, parseVersion } from '../../src/collectors/os.ts';
import { NoDataError, ParseError } from '../../src/core/errors.ts';
import { FIXTURES, golden, scrape, tree } from '../helpers/scrape.ts';

for (const [line, key, value] of [
  ['ID=debian', 'ID', 'debian'],
  ['  ID=debian  ', 'ID', 'debian'],
  ['ID=', 'ID', ''],
  ['NAME="Debian GNU/Linux"', 'NAME', 'Debian GNU/Linux'],
  ['NAME=\'a "b" \\c\'', 'NAME', 'a "b" \\c'],
  ['NAME="a \\"b\\" \\$c \\`d\\` \\\\ \\n"', 'NAME', 'a "b" $c `d` \\ \\n'],
  ['NAME=a\\ b', 'NAME', 'a b'],
  ['export NAME="a"b', 'NAME', 'ab'],
  ['URL=https://example.org/?a=b', 'URL', 'https://example.org/?a=b'],
  ['ID=debian # the universal one', 'ID', 'debian'],
  ['NAME="a # b" # c', 'NAME', 'a # b'],
  ['NAME=#', 'NAME', ''],
  ['NAME=a#b', 'NAME', 'a#b'],
] as const)
  test(`parseOsRelease reads ${line}`, () => assert.deepEqual([...parseOsRelease(`${line}\n`).values], [[key, value]]));

test('parseOsRelease passes over comments and empty lines, and the last value holds', () => {
  assert.deepEqual([...parseOsRelease('# a=b\n\n  # c\nID=a\r\nID=b\n').values], [['ID', 'b']]);
});

for (const line of ['debian', '=debian', '1ID=a', 'A B=c', 'NAME="a', "NAME='a", 'NAME="a\\"'])
  test(`parseOsRelease: the line ${line} costs itself alone`, () => {
    const { values, faults } = parseOsRelease(`ID=a\n${line}\nNAME=b\n`);
    assert.deepEqual(Object.fromEntries(values), { ID: 'a', NAME: 'b' });
    assert.deepEqual(faults, [new ParseError('os-release', line)]);
  });

test('parseVersion reads the number at the beginning', () => {
  assert.deepEqual(['22.04.3', '12', '39.', '0', 'rolling', ''].map(parseVersion), [
    22.04,
    12,
    39,
    0,
    undefined,
    undefined,
  ]);
});

test('parseDay reads a day in UTC', () => assert.equal(parseDay('2027-05-31'), 1811721600));

for (const day of ['2027-02-30', '2027-13-01', '27-01-01', '2027-01-01T00:00', 'soon'])
  test(`parseDay refuses ${day}`, () => assert.equal(parseDay(day), undefined));

test('os: the fixtures scrape to the golden text', (t) => golden(t, os, { rootfs: FIXTURES.slice(0, -1) }));

test('os falls back to the second place', async (t) => {
  const rootfs = tree(t, { 'usr/lib/os-release': 'ID=arch\nVERSION_ID=rolling\n' });
  const { text } = await scrape(os, { rootfs });
  assert.match(text, /^node_os_info\{.*,id="arch",id_like="",.*\} 1$/m);
  assert.doesNotMatch(text, /node_os_version|support_end/);
});

test('os tells no version of zero', async (t) => {
  const { text } = await scrape(os, { rootfs: tree(t, { 'etc/os-release': 'VERSION_ID=0\n' }) });
  assert.match(text, /^node_os_info\{.*version_id="0"\} 1$/m);
  assert.doesNotMatch(text, /node_os_version/);
});

test('os has no data without a file', async (t) => {
  assert.ok((await scrape(os, { rootfs: tree(t, {}) })).error instanceof NoDataError);
});

for (const odd of ['SUPPORT_END=never', 'NAME="a'])
  test(`os: the line ${odd} costs itself alone`, async (t) => {
    const { text, error } = await scrape(os, { rootfs: tree(t, { 'etc/os-release': `ID=a\n${odd}\n` }) });
    assert.equal((error as Error).message, new ParseError('os-release', odd).message);
    assert.match(text, /^node_os_info\{.*,id="a",.*\} 1$/m);
    assert.doesNotMatch(text, /support_end/);
  });
