import assert from 'node:assert/strict';
import { test } from 'node:test';
import { gauge } from '../../src/core/metric.ts';
import { createMessages } from '../../src/netlink/messages.ts';
import { createSource } from '../../src/source/source.ts';
import { createMemory } from '../helpers/memory.ts';
import { attributes, kernelOf } from '../helpers/netlink.ts';
import { runner } from '../helpers/table.ts';

const value = gauge('node_value', 'V.', 'name', 'alias');
const REQUEST = { type: 100, reply: 101, body: new Uint8Array(8) } as const;
const link = (name: string, n: number) => Buffer.concat([Buffer.alloc(8), attributes([3, name], [2, { u32: n }])]);

test('a layout that throws half way leaves no messages laid out for a block that is another', () => {
  const disk = createMemory({ '/sys/a': '', '/sys/b': '', '/sys/c': '', '/sys/d': '' });
  let links = [link('a', 1), link('b', 2), link('c', 3)];
  const netlink = kernelOf(() => links.map((each) => [REQUEST.reply, each] as const));
  const prepare = () => {
    const source = createSource({ disk, now: () => 0 });
    const tree = source.openTree('/sys');
    const table = createMessages(source.clock, 8, () => [netlink, REQUEST]).table((each, out) => {
      const name = each.text(3) ?? '';
      out.sample(value, each.u32(2), name, each.fixed(tree.passing(name)) ?? '');
    });
    const run = runner(table);
    return () => {
      source.clock.begin();
      return run();
    };
  };
  const scrape = prepare();
  scrape();
  // a goes, d comes, and the process has no descriptor left for d's file: the collector fails, which is right.
  links = [link('b', 2), link('c', 3), link('d', 4)];
  disk.refuse('/sys/d', 'EMFILE');
  assert.match(scrape().thrown ?? '', /EMFILE/);
  // d goes again.
  links = [link('b', 2), link('c', 3)];
  assert.deepEqual(scrape(), prepare()());
});
