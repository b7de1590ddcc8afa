import assert from 'node:assert/strict';
import { test } from 'node:test';
import bonding from '../../src/collectors/bonding.ts';
import { NoDataError } from '../../src/core/errors.ts';
import { golden, scrape, tree } from '../helpers/scrape.ts';

const NET = 'sys/class/net';

test('bonding: the fixtures scrape to the golden text', (t) => golden(t, bonding));

test('bonding: slaves of older kernels, and bonds without slaves', async (t) => {
  const root = tree(t, {
    [`${NET}/bonding_masters`]: 'a b\n',
    [`${NET}/a/bonding/slaves`]: '\n',
    [`${NET}/b/bonding/slaves`]: 'e0 e1 e2\n',
    [`${NET}/b/slave_e0/bonding_slave/mii_status`]: 'up\n',
    [`${NET}/b/slave_e1/bonding_slave/mii_status`]: 'going down\n',
    [`${NET}/b/lower_e2/bonding_slave/mii_status`]: 'up\n',
  });
  const { text, success } = await scrape(bonding, { root });
  assert.ok(success);
  assert.match(text, /^node_bonding_slaves\{master="a"\} 0\nnode_bonding_slaves\{master="b"\} 3$/m);
  assert.match(text, /^node_bonding_active\{master="a"\} 0\nnode_bonding_active\{master="b"\} 2$/m);
});

test('bonding: masters without a bond are no fault and no series', async (t) => {
  assert.deepEqual(await scrape(bonding, { root: tree(t, { [`${NET}/bonding_masters`]: '\n' }) }), {
    text: '',
    success: true,
    error: undefined,
  });
});

for (const [why, files] of [
  ['no bonding', {}],
  ['no list of slaves', { [`${NET}/bonding_masters`]: 'a\n' }],
  ['a slave that is gone', { [`${NET}/bonding_masters`]: 'a\n', [`${NET}/a/bonding/slaves`]: 'e0\n' }],
] as const)
  test(`bonding: ${why} is no data`, async (t) => {
    const { text, error } = await scrape(bonding, { root: tree(t, files) });
    assert.ok(error instanceof NoDataError);
    assert.equal(text, '');
  });
