import assert from 'node:assert/strict';
import { test } from 'node:test';
import { gauge } from '../../src/core/metric.ts';
import { createMessages } from '../../src/netlink/messages.ts';
import { createSource } from '../../src/source/source.ts';
import { createMemory } from '../helpers/memory.ts';
import { attributes, kernelOf } from '../helpers/netlink.ts';
import { runner } from '../helpers/table.ts';

const value = gauge('node_value', 'V.', 'name');
const REQUEST = { type: 100, reply: 101, body: new Uint8Array(8) } as const;
test('a table that forgets, of messages that are all gone, shows none', () => {
  let names = ['a'];
  const netlink = kernelOf(() =>
    names.map((name) => [REQUEST.reply, Buffer.concat([Buffer.alloc(8), attributes([3, name])])] as const),
  );
  const { clock } = createSource({ disk: createMemory() });
  const table = createMessages(clock, 8, () => [netlink, REQUEST]).table((each, out) =>
    out.sample(value, 1, each.text(3) ?? ''),
  );
  const run = runner(table);
  clock.begin();
  run();
  names = [];
  table.forget();
  clock.begin();
  assert.equal(run().text, '');
});
