import assert from 'node:assert/strict';
import { test } from 'node:test';
import bonding from '../../src/collectors/bonding.ts';
import { NoDataError } from '../../src/core/errors.ts';
import { samplesIn } from '../helpers/odd.ts';
import { bytesTree, golden, scrape, tree } from '../helpers/scrape.ts';

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

test('bonding: no bonding is no data', async (t) => {
  const { text, error } = await scrape(bonding, { root: tree(t, {}) });
  assert.ok(error instanceof NoDataError);
  assert.equal(text, '');
});

for (const [why, files, slaves] of [
  ['a bond that is going has no list of slaves', {}, undefined],
  ['of a slave that is going nobody says whether it is up', { [`${NET}/a/bonding/slaves`]: 'e0\n' }, 1],
] as const)
  test(`bonding: ${why}; the others are written`, async (t) => {
    const root = tree(t, { [`${NET}/bonding_masters`]: 'a b\n', [`${NET}/b/bonding/slaves`]: '\n', ...files });
    const { text, success } = await scrape(bonding, { root });
    assert.ok(success);
    assert.deepEqual(samplesIn(text), [
      'node_bonding_active{master="b"} 0',
      ...(slaves === undefined ? [] : [`node_bonding_slaves{master="a"} ${slaves}`]),
      'node_bonding_slaves{master="b"} 0',
    ]);
  });

test('bonding: bonds and slaves may be called anything', async (t) => {
  const status = 'bonding_slave/mii_status';
  const root = bytesTree(t, {
    [`${NET}/bonding_masters`]: 'bond\xc3\xa9 bond\xe9 \xe6\x97\xa5\n',
    [`${NET}/bond\xc3\xa9/bonding/slaves`]: '\n',
    [`${NET}/bond\xe9/bonding/slaves`]: 'eth\xff eth\xfe eth\xc3\x85\n',
    [`${NET}/bond\xe9/lower_eth\xff/${status}`]: 'up\n',
    [`${NET}/bond\xe9/lower_eth\xfe/${status}`]: 'down\n',
    [`${NET}/bond\xe9/lower_eth\xc3\x85/${status}`]: 'up\n',
    [`${NET}/\xe6\x97\xa5/bonding/slaves`]: 'eth0\n',
  });
  const { text, success } = await scrape(bonding, { root });
  assert.ok(success);
  assert.deepEqual(samplesIn(text), [
    'node_bonding_active{master="bondé"} 0',
    'node_bonding_active{master="bond\ufffd"} 2',
    'node_bonding_slaves{master="bondé"} 0',
    'node_bonding_slaves{master="bond\ufffd"} 3',
    'node_bonding_slaves{master="日"} 1',
  ]);
});
