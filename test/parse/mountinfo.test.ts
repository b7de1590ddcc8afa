import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { ParseError } from '../../src/core/errors.ts';
import { parseMountinfo, parseMountOptions, unescapeMount } from '../../src/parse/mountinfo.ts';

const ROOT = {
  id: 22,
  parentId: 1,
  major: 259,
  minor: 2,
  root: '/',
  mountPoint: '/',
  options: 'rw,relatime',
  fsType: 'ext4',
  source: '/dev/nvme0n1p2',
  superOptions: 'rw,errors=remount-ro',
};

for (const [why, line, expected] of [
  ['no optional field', '22 1 259:2 / / rw,relatime - ext4 /dev/nvme0n1p2 rw,errors=remount-ro', ROOT],
  ['one', '22 1 259:2 / / rw,relatime shared:1 - ext4 /dev/nvme0n1p2 rw,errors=remount-ro', ROOT],
  ['two', '22 1 259:2 / / rw,relatime shared:1 master:2 - ext4 /dev/nvme0n1p2 rw,errors=remount-ro', ROOT],
  ['an empty source', '22 1 259:2 / / rw,relatime - ext4  rw,errors=remount-ro', { ...ROOT, source: '' }],
  ['a source that is a dash', '22 1 259:2 / / rw,relatime - ext4 - rw', { ...ROOT, source: '-', superOptions: 'rw' }],
  [
    'blanks in the last field',
    '22 1 259:2 / / rw,relatime - ext4 none rw,x=a b',
    { ...ROOT, source: 'none', superOptions: 'rw,x=a b' },
  ],
] as const)
  test(`parseMountinfo reads a line with ${why}`, () => assert.deepEqual(parseMountinfo(`${line}\n`), [expected]));

test('parseMountinfo keeps the order of the kernel', () => {
  const text = '1 0 0:1 / /b rw - tmpfs b rw\n2 0 0:2 / /a rw - tmpfs a rw\n';
  assert.deepEqual(
    parseMountinfo(text).map(({ mountPoint }) => mountPoint),
    ['/b', '/a'],
  );
});

for (const [why, text] of [
  ['a truncated line', '22 1 259:2 / / rw,relatime shared:1'],
  ['a line without options of the file system', '22 1 259:2 / / rw,relatime - ext4 /dev/nvme0n1p2'],
  ['a device that is not two numbers', '22 1 259 / / rw,relatime - ext4 /dev/nvme0n1p2 rw'],
  ['an id that is no number', 'x 1 259:2 / / rw - ext4 a rw'],
] as const)
  test(`parseMountinfo hands over ${why}, and goes on`, () => {
    const odd: ParseError[] = [];
    const all = `${text}\n22 1 259:2 / / rw - ext4 a rw\n`;
    assert.deepEqual(
      parseMountinfo(all, (error) => void odd.push(error)).map(({ mountPoint }) => mountPoint),
      ['/'],
    );
    assert.deepEqual(
      odd.map((error) => [error instanceof ParseError, error.message.includes(text)]),
      [[true, true]],
    );
    assert.equal(parseMountinfo(all).length, 1);
  });

test('parseMountinfo passes over blank lines', () => {
  const mounts = parseMountinfo('\n22 1 259:2 / / rw - ext4 a rw\n \n23 1 259:2 / /b rw - ext4 a rw\n');
  assert.deepEqual(
    mounts.map(({ id }) => id),
    [22, 23],
  );
});

/** As the kernel's mangle() does. */
const mangle = (text: string): string =>
  text.replace(/[ \t\n\\#]/g, (char) => `\\${char.charCodeAt(0).toString(8).padStart(3, '0')}`);

test('unescapeMount undoes what the kernel escapes', () => {
  fc.assert(fc.property(fc.string({ unit: 'binary' }), (text) => unescapeMount(mangle(text)) === text));
  assert.equal(unescapeMount('/mnt/a\\040b\\134040'), '/mnt/a b\\040');
  assert.equal(unescapeMount('/mnt/\\04'), '/mnt/\\04');
});

test('what the kernel escapes comes back out of a whole line', () => {
  const word = fc.string({ unit: 'grapheme' }).filter((text) => !/[\r\0]/.test(text));
  fc.assert(
    fc.property(word, word, fc.array(fc.constantFrom('shared:1', 'master:2', 'unbindable')), (at, source, optional) => {
      const line = ['1 2 3:4 /', `/${mangle(at)}`, 'ro', ...optional, '- tmpfs', mangle(source), 'rw'].join(' ');
      const [mount] = parseMountinfo(`${line}\n`);
      assert.equal(unescapeMount(mount?.mountPoint ?? ''), `/${at}`);
      assert.equal(unescapeMount(mount?.source ?? ''), source);
    }),
  );
});

test('parseMountOptions gives values by name', () => {
  assert.deepEqual(
    [...parseMountOptions('ro,addr=10.0.0.1,a=b=c,ro=2')],
    [
      ['ro', '2'],
      ['addr', '10.0.0.1'],
      ['a', 'b=c'],
    ],
  );
});
