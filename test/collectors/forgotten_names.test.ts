import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import netclass from '../../src/collectors/netclass.ts';
import { attributes, kernelOf } from '../helpers/netlink.ts';
import { prepared, tree } from '../helpers/scrape.ts';

setFlagsFromString('--expose-gc');
const gc = runInNewContext('gc') as () => void;
const RTM_NEWLINK = 16;
const ENOENT = 2;
test('devices that come and go under ever new names leave nothing behind', async (t) => {
  let name = 'lo';
  const link = () => Buffer.concat([Buffer.alloc(16), attributes([3, name])]);
  const again = prepared(netclass, {
    root: tree(t, {}),
    argv: ['--collector.netclass.netlink'],
    netlink: () => kernelOf((type) => (type === 18 ? [[RTM_NEWLINK, link()]] : ENOENT)),
  });
  const used = async (from: number, count: number): Promise<number> => {
    for (let i = from; i < from + count; i += 1) {
      name = `veth${i.toString(16).padStart(7, '0')}`;
      const { text } = await again();
      assert.match(text, new RegExp(`device="${name}"`));
    }
    gc();
    return process.memoryUsage().heapUsed;
  };
  await used(0, 2000);
  const before = await used(2000, 2000);
  const after = await used(4000, 10_000);
  t.diagnostic(`${(after - before) / 10_000} bytes for each device`);
  assert.ok(after - before < 10_000 * 100);
});
