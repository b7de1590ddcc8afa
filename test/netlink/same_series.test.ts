import assert from 'node:assert/strict';
import { test } from 'node:test';
import { gauge } from '../../src/core/metric.ts';
import { Samples } from '../../src/core/samples.ts';
import { createMessages } from '../../src/netlink/messages.ts';
import { createSource } from '../../src/source/source.ts';
import { createMemory } from '../helpers/memory.ts';
import { attributes, kernelOf } from '../helpers/netlink.ts';
import { never } from '../helpers/table.ts';

const value = gauge('node_value', 'V.', 'name', 'what');
const REQUEST = { type: 100, reply: 101, body: new Uint8Array(8) } as const;

test('messages that are laid out again to the same series leave the block as it is, with their numbers', () => {
  let index = 0;
  const message = (name: string): Buffer => {
    const head = Buffer.alloc(8);
    head.writeUInt32LE(index, 0);
    return Buffer.concat([head, attributes([3, name])]);
  };
  const netlink = kernelOf(() => ['a', 'b', 'c'].map((name) => [REQUEST.reply, message(name)] as const));
  const { clock } = createSource({ disk: createMemory() });
  const table = createMessages(clock, 8, () => [netlink, REQUEST]).table((each, out) =>
    out.sample(value, each.headWord(0), each.text(3) ?? '', 'index'),
  );
  const samples = new Samples();
  const seen = () => {
    index += 1;
    clock.begin();
    samples.begin();
    void table(samples, never);
    samples.close();
    const { structure, values, count } = samples.blocks[1] as (typeof samples.blocks)[0];
    return { structure, layouts: clock.layouts, values: [...values.subarray(0, count)] };
  };
  const { structure } = seen();
  assert.deepEqual(seen(), { structure, layouts: 6, values: [2, 2, 2] });
});
