import assert from 'node:assert/strict';
import { readFileSync, readlinkSync } from 'node:fs';
import { test } from 'node:test';
import { parseMappings, spareMemory } from '../../src/syscall/readahead.ts';

const MAPS = `00400000-0082e000 r--p 00000000 fe:00 1310722                            /bin/keyhole
0082e000-03489000 r-xp 0042e000 fe:00 1310722                            /bin/keyhole
7f0000100000-7f0000126000 r--p 00000000 fe:00 1310723                    /usr/bin/keyhole
7f0000000000-7f0000021000 rw-p 00000000 00:00 0
7ffc0b5e6000-7ffc0b607000 rw-p 00000000 00:00 0                          [stack]
a line that is none of these /bin/keyhole
`;

test("a file's mappings, and no other's", () => {
  assert.deepEqual(parseMappings(MAPS, '/bin/keyhole'), [
    { start: 0x400000n, sizeBytes: 0x42e000n },
    { start: 0x82e000n, sizeBytes: 0x2c5b000n },
  ]);
  assert.deepEqual(parseMappings('', '/bin/keyhole'), []);
});

/** How many mappings of the own executable the kernel reads page by page: `rr` in their flags. */
function advised(): number {
  const executable = readlinkSync('/proc/self/exe');
  const blocks = readFileSync('/proc/self/smaps', 'latin1').split(/^(?=[0-9a-f]+-[0-9a-f]+ )/m);
  return blocks.filter((block) => block.split('\n', 1)[0]?.endsWith(executable) && /^VmFlags:.* rr /m.test(block))
    .length;
}

test('only where memory is limited, and little', () => {
  for (const unlimited of [0, 1 << 30, 2 ** 63]) spareMemory(unlimited);
  assert.equal(advised(), 0);
  spareMemory(50 << 20);
  assert.ok(advised() >= 3, `${advised()}`);
});
