import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Block } from '../../src/core/block.ts';
import { type Family, gauge, histogram, summary } from '../../src/core/metric.ts';
import { Samples } from '../../src/core/samples.ts';
import { render } from '../helpers/render.ts';

const families = [
  gauge('node_0', '0.'),
  gauge('node_1', '1.', 'a'),
  gauge('node_2', '2.', 'b', 'a'),
  gauge('node_3', '3.', 'a', 'b', 'c'),
  gauge('node_4', '4.', 'd', 'b', 'a', 'c'),
  gauge('node_5', '5.', 'a', 'b', 'c', 'd', 'e'),
] as const;

type Written = readonly [family: number, labels: readonly string[], value: number];
const label = fc.constantFrom('x', 'y', '');
const written: fc.Arbitrary<Written> = fc
  .nat(5)
  .chain((family) =>
    fc.tuple(fc.constant(family), fc.array(label, { minLength: family, maxLength: family }), fc.nat(3)),
  );

function write(out: Samples, all: readonly Written[], how: 'sample' | 'row'): void {
  out.begin();
  for (const [i, labels, value] of all) {
    const family: Family = families[i] as Family;
    if (how === 'row' || i > 4) out.row(family, value, labels);
    else out.sample(family, value, ...(labels as [string]));
  }
  out.close();
}

test('whatever was written before, a run leaves what it has written itself', () => {
  fc.assert(
    fc.property(fc.array(fc.array(written, { maxLength: 6 }), { maxLength: 6 }), (runs) => {
      const samples = new Samples();
      const [block] = samples.blocks as [Block];
      for (const [i, all] of runs.entries()) {
        write(samples, all, i % 2 === 0 ? 'sample' : 'row');
        assert.deepEqual(
          [...block.families],
          all.map(([family]) => families[family]),
        );
        assert.deepEqual(
          [...block.labels],
          all.flatMap(([, labels]) => labels),
        );
        assert.deepEqual(
          [...block.values.subarray(0, block.count)],
          all.map(([, , value]) => value),
        );
      }
    }),
    { numRuns: 1000 },
  );
});

test('a steady run changes no structure, and no value is no move', () => {
  const samples = new Samples();
  const all: Written[] = [
    [1, ['a'], 1],
    [5, ['a', 'b', 'c', 'd', 'e'], 2],
  ];
  write(samples, all, 'sample');
  const [block] = samples.blocks as [Block];
  const { structure, moves } = block;
  write(samples, all, 'sample');
  assert.deepEqual([block.structure, block.moves], [structure, moves]);
  write(samples, [[1, ['a'], 3], all[1] as Written], 'row');
  assert.deepEqual([block.structure, block.moves], [structure, moves + 1]);
});

test('who keeps the arrays of a block keeps its series: another run has others', () => {
  const samples = new Samples();
  write(
    samples,
    [
      [1, ['a'], 1],
      [1, ['b'], 2],
    ],
    'sample',
  );
  const { families: kept, labels, values } = samples.blocks[0] as Block;
  const copies = [[...kept], [...labels], [...values]];
  write(
    samples,
    [
      [1, ['a'], 9],
      [2, ['c', 'd'], 8],
      [0, [], 7],
    ],
    'sample',
  );
  assert.deepEqual([[...kept], [...labels]], [copies[0], copies[1]]);
  assert.equal(values[1], 2);
});

test('what is undefined writes nothing, and a wrong number of labels is thrown', () => {
  const samples = new Samples();
  samples.sample(families[0], undefined);
  samples.row(families[5], undefined, []);
  assert.throws(() => samples.row(families[5], 1, ['a']), /node_5: 1 labels for 5/);
  samples.close();
  assert.equal((samples.blocks[0] as Block).count, 0);
});

test('histograms and summaries are as many series as the format says, and steady', () => {
  const samples = new Samples();
  const size = histogram('node_size', 'S.', 'z', 'a');
  const time = summary('node_time', 'T.', 'a');
  const again = (buckets: [number, number][], count: number): void => {
    samples.begin();
    samples.histogram(size, { buckets, sum: 0.5, count }, ['Z', 'A']);
    samples.summary(time, { quantiles: [[0.5, 7]], sum: 1, count }, ['A']);
    samples.close();
  };
  again(
    [
      [0.1, 1],
      [2, 2],
    ],
    3,
  );
  const { structure } = samples.blocks[0] as Block;
  assert.deepEqual(render([samples]).text.match(/^node.*/gm), [
    'node_size_bucket{a="A",z="Z",le="0.1"} 1',
    'node_size_bucket{a="A",z="Z",le="2"} 2',
    'node_size_bucket{a="A",z="Z",le="+Inf"} 3',
    'node_size_sum{a="A",z="Z"} 0.5',
    'node_size_count{a="A",z="Z"} 3',
    'node_time{a="A",quantile="0.5"} 7',
    'node_time_sum{a="A"} 1',
    'node_time_count{a="A"} 3',
  ]);
  again(
    [
      [0.1, 2],
      [2, 3],
    ],
    4,
  );
  assert.equal((samples.blocks[0] as Block).structure, structure);
  again(
    [
      [0.1, 2],
      [2, 3],
      [Number.POSITIVE_INFINITY, 9],
    ],
    4,
  );
  assert.match(render([samples]).text, /le="\+Inf"} 9\nnode_size_sum/);
  again([], 4);
  assert.match(render([samples]).text, /^node_size_bucket\{a="A",z="Z",le="\+Inf"} 4\nnode_size_sum/m);
  samples.begin();
  assert.throws(() => samples.histogram(families[0], { buckets: [], sum: 0, count: 0 }, []), /neither a histogram/);
});

test('blocks that are put stand behind what was written, for this run', () => {
  const block = new Block();
  block.add(families[0], 5);
  const samples = new Samples();
  for (const isPut of [true, false, true]) {
    samples.begin();
    if (isPut) samples.put(block);
    samples.close();
    samples.put(block);
    assert.equal(samples.blockCount, isPut ? 2 : 1);
    assert.equal(render([samples]).text.includes('node_0 5'), isPut);
  }
});

test('nothing is taken after the end of a run', () => {
  const samples = new Samples();
  write(samples, [[0, [], 1]], 'sample');
  samples.sample(families[0], 2);
  samples.row(families[1], 2, ['a']);
  samples.histogram(histogram('node_h', 'H.'), { buckets: [], sum: 1, count: 1 }, []);
  samples.summary(summary('node_s', 'S.'), { quantiles: [], sum: 1, count: 1 }, []);
  samples.fault(new Error('late'));
  assert.equal((samples.blocks[0] as Block).count, 1);
  assert.deepEqual([samples.faults, samples.faultCount], [[], 0]);
});

test('what is passed over is reported once, and only the first few', () => {
  const seen: string[] = [];
  const samples = new Samples((what) => seen.push(what));
  for (let run = 0; run < 2; run += 1) {
    samples.begin();
    for (let i = 0; i < 40; i += 1) samples.passedOver(`name ${i}`);
  }
  assert.deepEqual(
    seen,
    Array.from({ length: 16 }, (_, i) => `name ${i}`),
  );
});
