import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Block } from '../../src/core/block.ts';
import { NoDataError, ParseError } from '../../src/core/errors.ts';
import { gauge, summary } from '../../src/core/metric.ts';
import { Samples } from '../../src/core/samples.ts';
import { render } from '../helpers/render.ts';

const value = gauge('node_value', 'V.', 'by');
const pair = gauge('node_pair', 'P.', 'by', 'of');
const times = summary('node_times_seconds', 'T.', 'by');

const put = (out: Samples, label: string): void => {
  const block = new Block();
  block.add(gauge('node_block', 'B.', 'by'), 1);
  block.labels.push(label);
  out.put(block);
};

/** All ways to write, and to report. */
const WAYS: Readonly<Record<string, (out: Samples, label: string) => void>> = {
  sample: (out, label) => out.sample(value, 1, label),
  row: (out, label) => out.row(pair, 2, [label, 'x']),
  summary: (out, label) => out.summary(times, { quantiles: [[0.5, 1]], sum: 3, count: 2 }, [label]),
  put,
  fault: (out, label) => out.fault(new ParseError('f', label)),
  none: (out, label) => out.fault(new NoDataError(label)),
};

type Step = readonly [way: string, label: string];
const steps = fc.array(fc.tuple(fc.constantFrom(...Object.keys(WAYS)), fc.constantFrom('a', 'b', 'c')), {
  maxLength: 8,
});
const write = (out: Samples, all: readonly Step[]): void => {
  for (const [way, label] of all) WAYS[way]?.(out, label);
};
const seen = (out: Samples) => ({
  text: render([out]).text,
  blocks: out.blocks.slice(1, out.blockCount).map(({ labels }) => labels),
  faults: out.faults.map(String),
  faultCount: out.faultCount,
});

test('what is taken back has never been written, whatever was there before and comes after', () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(steps, steps, steps), { minLength: 1, maxLength: 3 }), (runs) => {
      const samples = new Samples();
      for (const [before, taken, after] of runs) {
        samples.begin();
        write(samples, before);
        samples.mark();
        write(samples, taken);
        samples.takeBack();
        write(samples, after);
        samples.close();
        const fresh = new Samples();
        fresh.begin();
        write(fresh, [...before, ...after]);
        fresh.close();
        assert.deepEqual(seen(samples), seen(fresh));
      }
    }),
    { numRuns: 500 },
  );
});
