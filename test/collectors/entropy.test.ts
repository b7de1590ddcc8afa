import assert from 'node:assert/strict';
import { test } from 'node:test';
import entropy from '../../src/collectors/entropy.ts';
import { golden, scrape, tree } from '../helpers/scrape.ts';

test('entropy: the fixtures scrape to the golden text', (t) => golden(t, entropy));

const DIR = 'proc/sys/kernel/random';

for (const [why, files, told] of [
  ['without its files', {}, []],
  [
    'for what is not a number',
    { [`${DIR}/entropy_avail`]: 'many\n', [`${DIR}/poolsize`]: '256\n' },
    ['node_entropy_pool_size_bits 256'],
  ],
  [
    'for an empty file',
    { [`${DIR}/entropy_avail`]: '9\n', [`${DIR}/poolsize`]: '' },
    ['node_entropy_available_bits 9'],
  ],
  ['without the size of the pool', { [`${DIR}/entropy_avail`]: '9\n' }, ['node_entropy_available_bits 9']],
] as const)
  test(`entropy fails ${why}`, async (t) => {
    const { text, success } = await scrape(entropy, { root: tree(t, files) });
    assert.equal(success, false);
    assert.deepEqual(text.match(/^node.*$/gm) ?? [], told);
  });
