import assert from 'node:assert/strict';
import { test } from 'node:test';
import { defineCollector } from '../src/core/collector.ts';
import { flag } from '../src/core/flag.ts';
import { dynamic, gauge } from '../src/core/metric.ts';
import { Samples } from '../src/core/samples.ts';
import type { Writer } from '../src/core/writer.ts';

test('a sample with a wrong number of labels does not compile', () => {
  const out: Writer = new Samples();
  const one = gauge('node_a', 'A.', 'device');
  out.sample(one, 1, 'sda');
  // @ts-expect-error: a label is missing.
  out.sample(one, 1);
  // @ts-expect-error: a label too many.
  out.sample(one, 2, 'sda', 'x');
  const memory = dynamic.gauge('node_memory_<field>_bytes', 'Memory information field <field>.');
  out.sample(memory.of('MemTotal'), 1e9);
  // @ts-expect-error: it has no label.
  out.sample(memory.of('MemTotal'), 1e9, 'x');
});

test('flags and metrics come typed into setup', () => {
  const collector = defineCollector({
    name: 'x',
    help: 'X.',
    enabled: true,
    reads: [],
    flags: { limit: flag.int('collector.x.limit', 'Limit.', 3) },
    metrics: { used: gauge('node_x', 'X.') },
    setup({ flags }, { used }) {
      const limit: number = flags.limit;
      // @ts-expect-error: there is no such flag.
      assert.equal(flags.other, undefined);
      return (out) => out.sample(used, limit);
    },
  });
  assert.equal(collector.name, 'x');
});
