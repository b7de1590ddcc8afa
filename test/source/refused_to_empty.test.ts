import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createSource } from '../../src/source/source.ts';
import { createMemory } from '../helpers/memory.ts';

test('a file that is empty where it was refused has another content', () => {
  const disk = createMemory({ '/t/f': '' });
  disk.refuse('/t/f', 'EINVAL');
  const source = createSource({ disk });
  const file = source.openTree('/t').file('f');
  const length = file.as((text) => text.length);
  const seen = (): readonly [string | undefined, number | undefined, number] => {
    source.clock.begin();
    return [file.tryText(), length(), file.version];
  };
  assert.deepEqual(seen(), [undefined, undefined, 1]);
  disk.refuse('/t/f');
  assert.deepEqual(seen(), ['', 0, 2]);
  disk.refuse('/t/f', 'EACCES');
  assert.deepEqual(seen(), [undefined, undefined, 3]);
});
