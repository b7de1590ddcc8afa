import assert from 'node:assert/strict';
import { test } from 'node:test';
import { findFaults, readSources } from '../../tools/arrows.ts';

test('the sources keep the arrows', () => assert.deepEqual(findFaults(readSources()), []));

for (const [path, text, fault] of [
  ['core/a.ts', "import x from '../syscall/libc.ts';", /core may not import src\/syscall\/libc\.ts/],
  ['collectors/a.ts', "import b from './b.ts';", /collectors may not import src\/collectors\/b\.ts/],
  ['collectors/a.ts', "import x from '../syscall/libc.ts';", /collectors may not import src\/syscall\/libc\.ts/],
  ['collectors/a.ts', "import { readFileSync } from 'node:fs';", /collectors may not import node:fs/],
  ['collectors/a.ts', "import n from '../netlink/netlink.ts';", /collectors may not import src\/netlink\/netlink\.ts/],
  ['collectors/textfile.ts', "import s from '../server/start.ts'; import 'node:fs';", /may not import src\/server/],
  ['collectors/textfile.ts', "import c from '../core/c.ts';", /needs no exemption/],
  ['parse/a.ts', "const b = await import('../server/b.ts');", /parse may not import/],
  ['server/a.ts', "export * from '../collectors/index.ts';", /server may not import/],
  ['attic/a.ts', '', /'attic' is not a room/],
  ['core/a.ts', "if (name === 'cpu') return;", /core names the collector 'cpu'/],
] as const)
  test(`refuses ${text || path} in ${path}`, () => {
    const faults = findFaults([
      { path: 'collectors/cpu.ts', text: '' },
      { path, text },
    ]);
    assert.equal(faults.length, 1);
    assert.match(faults[0] as string, fault);
  });

test('main may import every room, a room itself, collectors what is shared, and those that are exempt the machine', () => {
  assert.deepEqual(
    findFaults([
      {
        path: 'main.ts',
        text: "import { a } from './server/a.ts'; import { collectors } from './collectors/index.ts';",
      },
      { path: 'core/a.ts', text: "import { b } from './b.ts';" },
      { path: 'collectors/a.ts', text: "import { b } from '../parse/b.ts'; import { r } from '../netlink/route.ts';" },
      { path: 'collectors/textfile.ts', text: "import { readSync } from 'node:fs';" },
    ]),
    [],
  );
});
