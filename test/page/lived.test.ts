import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Block } from '../../src/core/block.ts';
import { type Family, gauge, histogram, summary, untyped } from '../../src/core/metric.ts';
import { Samples } from '../../src/core/samples.ts';
import { createPackers, type Packer } from '../../src/page/gzip.ts';
import { Page } from '../../src/page/page.ts';
import { assertPacked } from '../helpers/gzip.ts';

const plain = [
  gauge('node_a', 'A.', 'device'),
  gauge('node_b', 'B.', 'device'),
  untyped('node_b', 'Another type.', 'device'),
  gauge('node_c', 'C.', 'z', 'device'),
  gauge('node_c', 'C.'),
  gauge('node_d', 'The same labels, sorted the other way round.', 'a', 'b'),
  gauge('node_h_sum', 'The name of a part.', 'device'),
  untyped('node_h_bucket', 'The name of a part.', 'device'),
  untyped('node_s_count', 'The name of a part.', 'device'),
] as const;
const hist = histogram('node_h', 'H.', 'device');
const quantiles = summary('node_s', 'S.', 'device');

/** What one run of a part writes: own series, histograms, and blocks that it puts. */
interface Run {
  readonly own: readonly (readonly [family: number, device: string, value: number])[];
  readonly histograms: readonly (readonly [device: string, value: number])[];
  readonly puts: readonly number[];
}

const device = fc.constantFrom('eth0', 'sda', 'a"b', 'ä', '\u{1F600}', '\uFFFF', '');
const number = fc.oneof(
  fc.nat(9),
  fc.nat(1e7),
  fc.constantFrom(0.5, 1e21, Number.NaN, Number.POSITIVE_INFINITY, -0, -1.25),
);
const run: fc.Arbitrary<Run> = fc.record({
  own: fc.array(fc.tuple(fc.nat(plain.length - 1), device, number), { maxLength: 6 }),
  histograms: fc.array(fc.tuple(device, number), { maxLength: 2 }),
  puts: fc.uniqueArray(fc.nat(2), { maxLength: 3 }),
});
/** One step of a page's life. */
type Step =
  | { readonly kind: 'run'; readonly part: number; readonly run: Run }
  | { readonly kind: 'values'; readonly part: number; readonly by: number }
  | { readonly kind: 'clear'; readonly part: number }
  | { readonly kind: 'block'; readonly block: number; readonly from: number; readonly run: Run };
const part = fc.nat(2);
const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ kind: fc.constant('run' as const), part, run }),
  fc.record({ kind: fc.constant('values' as const), part, by: number }),
  fc.record({ kind: fc.constant('values' as const), part, by: number }),
  fc.record({ kind: fc.constant('clear' as const), part }),
  fc.record({ kind: fc.constant('block' as const), block: fc.nat(2), from: fc.nat(3), run }),
);

const labelsOf = ({ labels }: Family, name: string): string[] =>
  labels.map((_, i) => (i === 0 ? name : `${name.length % 2}`));

function fill(block: Block, from: number, { own }: Run): void {
  const place = Math.min(from, block.count);
  let labelAt = 0;
  for (let i = 0; i < place; i += 1) labelAt += (block.families[i] as Family).labels.length;
  block.cut(place, labelAt);
  for (const [family, name, value] of own) {
    const each = plain[family] as Family;
    block.add(each, value);
    block.labels.push(...labelsOf(each, name));
  }
}

function write(out: Samples, { own, histograms, puts }: Run, blocks: readonly Block[]): void {
  out.begin();
  for (const [family, name, value] of own) {
    const each = plain[family] as Family;
    out.row(each, value, labelsOf(each, name));
  }
  for (const [name, value] of histograms) {
    out.histogram(hist, { buckets: [[0.5, value]], sum: value, count: 3 }, [name]);
    out.summary(quantiles, { quantiles: [[0.9, value]], sum: value, count: 3 }, [name]);
  }
  for (const put of puts) out.put(blocks[put] as Block);
  out.close();
}

/** Parts that write to pages again and again. */
class Machine {
  readonly blocks = [new Block(), new Block(), new Block()];
  readonly parts = [new Samples(), new Samples(), new Samples()];
  readonly runs: (Run | undefined)[] = [undefined, undefined, undefined];
  readonly #page: Page;

  constructor(page: Page) {
    this.#page = page;
  }

  step(each: Step): void {
    if (each.kind === 'block') fill(this.blocks[each.block] as Block, each.from, each.run);
    else if (each.kind === 'clear') {
      this.runs[each.part] = undefined;
      this.#page.clear(each.part);
    } else if (each.kind === 'run') this.runs[each.part] = each.run;
    else this.#moveValues(each.part, each.by);
    // As in a scrape: whatever is shown is taken anew.
    for (const [i, samples] of this.parts.entries()) {
      const now = this.runs[i];
      if (now === undefined) continue;
      write(samples, now, this.blocks);
      this.#page.take(i, samples);
    }
  }

  #moveValues(at: number, by: number): void {
    const now = this.runs[at];
    if (now !== undefined)
      this.runs[at] = {
        ...now,
        own: now.own.map(([family, name, value], i) => [family, name, i % 2 === 0 ? by : value]),
        histograms: now.histograms.map(([name]) => [name, by]),
      };
    const block = this.blocks[at] as Block;
    for (let i = 0; i < block.count; i += 2) block.set(i, by);
  }

  fresh(only?: ReadonlySet<string>): Page {
    const page = new Page(only);
    for (const [i, samples] of this.parts.entries()) if (this.runs[i] !== undefined) page.take(i, samples);
    return page;
  }
}

const names = fc.option(
  fc.subarray([...new Set(plain.map(({ name }) => name)), 'node_h', 'node_s'], { minLength: 1 }),
  {
    nil: undefined,
    freq: 3,
  },
);

test('a page that lived equals a new one after any history, and so does what was compressed of it', () => {
  const packers = createPackers({ tapeFrom: 2 });
  fc.assert(
    fc.property(fc.array(step, { minLength: 1, maxLength: 14 }), names, (steps, wanted) => {
      const only = wanted === undefined ? undefined : new Set(wanted);
      const page = new Page(only);
      const packer: Packer = packers();
      const machine = new Machine(page);
      for (const [i, each] of steps.entries()) {
        machine.step(each);
        // Not every run is asked for.
        if (i % 3 === 1 && i + 1 < steps.length) continue;
        const fresh = machine.fresh(only);
        const text = page.render();
        assert.equal(text.toString(), fresh.render().toString());
        // The number that is quoted is that of the layout.
        const dropped = (all: Page): string[] => all.dropped.described.map((what) => what.replace(/ \S+$/, '')).sort();
        assert.equal(page.dropped.count, fresh.dropped.count);
        if (page.dropped.count <= 10) assert.deepEqual(dropped(page), dropped(fresh));
        assertPacked(packer, page, text);
      }
    }),
    { numRuns: 500 },
  );
});

const many = Array.from({ length: 200 }, (_, i) => gauge(`node_m${String(i).padStart(3, '0')}`, 'M.', 'device'));

/** How often each of these families was laid out, by name. */
const layouts = new Map<string, number>();
for (const family of many) {
  const { header, name } = family;
  Object.defineProperty(family, 'header', {
    get() {
      layouts.set(name, (layouts.get(name) ?? 0) + 1);
      return header;
    },
  });
}

/** A large page of one part, and what to do to it. */
function largePage() {
  const page = new Page();
  const [first, second] = [new Samples(), new Samples()];
  const values = new Map<string, number>();
  const extra: [family: number, name: string][] = [];
  const show = (): Buffer => {
    first.begin();
    for (const [i, family] of many.entries())
      for (const name of ['a', 'b', 'c', 'd']) first.sample(family, values.get(`${i} ${name}`) ?? i, name.repeat(40));
    first.close();
    second.begin();
    for (const [i, name] of extra) second.sample(many[i] as Family<readonly [string]>, 1, name);
    second.close();
    page.take(0, first);
    page.take(1, second);
    return page.render();
  };
  return { page, values, extra, show };
}

test('only families whose series are others are laid out, only numbers that moved are written', () => {
  const { page, values, extra, show } = largePage();
  const before = show().toString();
  assert.equal(page.layouts, 1);
  for (const value of [7, 123456789, 0.5]) {
    values.set('100 b', value);
    show();
  }
  assert.equal(page.layouts, 1, 'numbers move without a layout');
  assert.ok(page.segments.length > 1);
  values.clear();
  assert.equal(show().toString(), before);
  extra.push([5, 'late']);
  layouts.clear();
  const after = show().toString();
  assert.equal(page.layouts, 2);
  assert.deepEqual([...layouts.keys()], ['node_m005']);
  assert.equal(
    after
      .split('\n')
      .filter((line) => !before.includes(line))
      .join(),
    'node_m005{device="late"} 1',
  );
  show();
  assert.equal(page.layouts, 2);
});

test('segments cover the page without gaps, and one in which nothing moved keeps its version wherever it is', () => {
  const { page, values, show } = largePage();
  for (const value of [undefined, 1, 123456, 3]) {
    if (value !== undefined) values.set('60 c', value);
    const versions = page.segments.map(({ version }) => version);
    const text = show();
    let end = 0;
    for (const { from, to } of page.segments) {
      assert.equal(from, end);
      assert.ok(to > from);
      assert.match(text.subarray(from, from + 7).toString(), /^# HELP $/, 'whole families');
      end = to;
    }
    assert.equal(end, text.length);
    if (value === undefined) continue;
    const moved = page.segments.filter(({ version }, i) => version !== versions[i]);
    assert.equal(moved.length, 1);
    const [{ from, to }] = moved as [(typeof moved)[number]];
    assert.ok(text.subarray(from, to).includes(`node_m060{device="${'c'.repeat(40)}"} ${value}\n`));
  }
});

test('what is shown is what was taken at the end of the run, not what a later run has written', () => {
  const page = new Page();
  const samples = new Samples();
  const [family] = plain;
  const write1 = (value: number): void => {
    samples.begin();
    samples.sample(family, value, 'a');
    samples.close();
  };
  write1(1);
  page.take(0, samples);
  page.render();
  write1(2);
  page.take(0, samples);
  write1(3);
  assert.match(page.render().toString(), /device="a"} 2\n/);
});

test('an empty page is empty, and is empty again', () => {
  const page = new Page();
  assert.equal(page.render().length, 0);
  const samples = new Samples();
  samples.sample(plain[0], 1, 'a');
  page.take(3, samples);
  assert.ok(page.render().length > 0);
  page.clear(3);
  assert.equal(page.render().length, 0);
  assert.deepEqual(page.segments, []);
  page.clear(7);
  assert.equal(page.render().length, 0);
});
