import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import process from 'node:process';
import { test } from 'node:test';
import { createSpare, unmodifiedMappings } from '../../src/syscall/memory.ts';

/** One mapping of `/proc/<pid>/smaps`, as proc(5) shows it. */
const mapping = (head: string, anonymousKb: number): string =>
  `${head}\nSize:               8 kB\nRss:                4 kB\nAnonymous:          ${anonymousKb} kB\nAnonHugePages:      4 kB\nVmFlags: rd ex mr\n`;
const NODE = '/usr/bin/node';

const SMAPS = [
  mapping(`00400000-00402000 r--p 00000000 08:01 1234                    ${NODE}`, 0),
  mapping(`7f00000000000-7f00000003000 r-xp 00002000 08:01 1234          ${NODE}`, 0),
  mapping(`00405000-00406000 r--p 00005000 08:01 1234                    ${NODE}`, 4),
  mapping(`00406000-00407000 rw-p 00006000 08:01 1234                    ${NODE}`, 0),
  mapping('00500000-00501000 r-xp 00000000 08:01 99                      /usr/lib/libc.so.6', 0),
  mapping('00600000-00601000 r-xp 00000000 00:00 0 ', 0),
  mapping(`00700000-00701000 r-xp 00000000 08:01 1235                    ${NODE} (deleted)`, 0),
].join('');

test('the mappings that are as they are in the file: none that was written to, or may be, and none of another', () =>
  assert.deepEqual(unmodifiedMappings(SMAPS, NODE), [
    { start: 0x400000n, sizeBytes: 0x2000n },
    { start: 0x7f00000000000n, sizeBytes: 0x3000n },
  ]));

test('spaces in the path are part of it; a text that says nothing has no mapping', () => {
  const found = unmodifiedMappings(mapping('00400000-00402000 r-xp 0 08:01 12   /opt/my node', 0), '/opt/my node');
  assert.deepEqual(found, [{ start: 0x400000n, sizeBytes: 0x2000n }]);
  for (const text of ['', 'Anonymous:          0 kB\n', '\n\n']) assert.deepEqual(unmodifiedMappings(text, NODE), []);
});

test('of this very process there are whole pages of code, in order', () => {
  const ranges = unmodifiedMappings(readFileSync('/proc/self/smaps', 'latin1'), process.execPath);
  let end = 0n;
  for (const { start, sizeBytes } of ranges) {
    assert.ok(start >= end && sizeBytes > 0n);
    assert.equal((start | sizeBytes) & 0xfffn, 0n);
    end = start + sizeBytes;
  }
});

test('what is given back is not missed: the process runs on, with less garbage', () => {
  const garbage: WeakRef<object>[] = [];
  const make = (): void => {
    for (let i = 0; i < 100; i += 1) garbage.push(new WeakRef({ bytes: new Array(10_000).fill(i) }));
  };
  make();
  const before = process.memoryUsage().heapUsed;
  const spare = createSpare();
  for (let i = 0; i < 2; i += 1) {
    spare.code();
    spare.heap();
  }
  assert.ok(process.memoryUsage().heapUsed < before);
  assert.equal('gc' in globalThis, false);
  assert.deepEqual(JSON.parse(JSON.stringify({ still: [1, 2, 3] })), { still: [1, 2, 3] });
});

test('without the right to call the kernel it runs on as before', (t) => {
  t.mock.method(process, 'getBuiltinModule', () => undefined);
  const spare = createSpare();
  assert.doesNotThrow(spare.heap);
});
