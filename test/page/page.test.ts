import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { counter, dynamic, gauge, histogram, open, summary, untyped } from '../../src/core/metric.ts';
import { Samples } from '../../src/core/samples.ts';
import { render } from '../helpers/render.ts';

const seconds = counter('node_cpu_seconds_total', 'Seconds.', 'mode', 'cpu');

test('families come by name, labels by name, series by the values in that order', () => {
  const out = new Samples();
  out.sample(seconds, 3, 'user', '2');
  out.sample(seconds, 2, 'idle', '10');
  out.sample(seconds, 1, 'user', '10');
  out.sample(gauge('node_boot', 'Boot.'), 5);
  assert.equal(
    render([out]).text,
    `# HELP node_boot Boot.
# TYPE node_boot gauge
node_boot 5
# HELP node_cpu_seconds_total Seconds.
# TYPE node_cpu_seconds_total counter
node_cpu_seconds_total{cpu="10",mode="idle"} 2
node_cpu_seconds_total{cpu="10",mode="user"} 1
node_cpu_seconds_total{cpu="2",mode="user"} 3
`,
  );
});

test('families with the same values under labels of another order are each in their own order', () => {
  const out = new Samples();
  for (const family of [
    gauge('node_a', 'A.', 'z', 'a'),
    gauge('node_b', 'B.', 'a', 'z'),
    gauge('node_c', 'C.', 'z', 'a'),
  ])
    for (const [x, y] of [
      ['1', '2'],
      ['2', '1'],
    ] as const)
      out.sample(family, 1, x, y);
  assert.deepEqual(render([out]).text.match(/^node.*/gm), [
    'node_a{a="1",z="2"} 1',
    'node_a{a="2",z="1"} 1',
    'node_b{a="1",z="2"} 1',
    'node_b{a="2",z="1"} 1',
    'node_c{a="1",z="2"} 1',
    'node_c{a="2",z="1"} 1',
  ]);
});

test('one name with several label sets: fewer labels first', () => {
  const out = new Samples();
  out.sample(gauge('node_x', 'X.', 'a', 'b'), 1, '', 'z');
  out.sample(gauge('node_x', 'X.', 'z'), 2, '0');
  out.sample(gauge('node_x', 'X.'), 3);
  assert.deepEqual(render([out]).text.split('\n').slice(2, 5), ['node_x 3', 'node_x{z="0"} 2', 'node_x{a="",b="z"} 1']);
});

test('a series that was written before is dropped and told', () => {
  const [one, other] = [new Samples(), new Samples()];
  const up = gauge('node_up', 'Up.', 'device');
  one.sample(up, 1, 'a');
  one.sample(up, 2, 'b');
  other.sample(up, 3, 'a');
  other.sample(counter('node_up', 'Another type.', 'device'), 4, 'c');
  const { text, dropped } = render([one, other]);
  assert.deepEqual(text.split('\n').slice(2), ['node_up{device="a"} 1', 'node_up{device="b"} 2', '']);
  assert.equal(dropped.count, 2);
  assert.match(dropped.described.join('\n'), /same name and label values: node_up\{device="a"\} 3/);
  assert.match(dropped.described.join('\n'), /as gauge, not counter: node_up\{device="c"\} 4/);
});

test('the same values under other label names are other series', () => {
  const out = new Samples();
  out.sample(gauge('node_x', 'X.', 'a'), 1, 'v');
  out.sample(gauge('node_x', 'X.', 'b'), 2, 'v');
  assert.deepEqual(render([out]).text.split('\n').slice(2, 4), ['node_x{a="v"} 1', 'node_x{b="v"} 2']);
});

test('only the families asked for', () => {
  const out = new Samples();
  out.sample(gauge('node_a', 'A.'), 1);
  out.sample(gauge('node_b', 'B.'), 2);
  assert.match(
    render([out], new Set(['node_b', 'node_c'])).text,
    /^# HELP node_b B\.\n# TYPE node_b gauge\nnode_b 2\n$/,
  );
});

test('five labels and more, declared in any order', () => {
  const out = new Samples();
  out.row(gauge('node_info', 'I.', 'e', 'd', 'c', 'b', 'a'), 1, ['5', '4', '3', '2', 'x"y']);
  assert.match(render([out]).text, /\nnode_info\{a="x\\"y",b="2",c="3",d="4",e="5"\} 1\n$/);
  assert.throws(() => out.row(gauge('node_info', 'I.', 'a'), 1, []), /node_info: 0 labels for 1/);
});

test('histograms and summaries', () => {
  const out = new Samples();
  out.histogram(histogram('h', 'H.', 'a'), { buckets: [[0.5, 1]], sum: 2, count: 3 }, ['x']);
  out.summary(summary('s', 'S.'), { quantiles: [[0.5, 1]], sum: 2, count: 3 }, []);
  assert.equal(
    render([out]).text,
    `# HELP h H.
# TYPE h histogram
h_bucket{a="x",le="0.5"} 1
h_bucket{a="x",le="+Inf"} 3
h_sum{a="x"} 2
h_count{a="x"} 3
# HELP s S.
# TYPE s summary
s{quantile="0.5"} 1
s_sum 2
s_count 3
`,
  );
});

test('a family named as a part of a histogram or summary is dropped and told', () => {
  const out = new Samples();
  for (const name of ['a_sum', 'a_count', 'a_bucket', 'b_sum', 'b_count', 'b_bucket']) out.sample(untyped(name, ''), 9);
  out.histogram(histogram('a', ''), { buckets: [], sum: 1, count: 2 }, []);
  out.summary(summary('b', ''), { quantiles: [], sum: 3, count: 4 }, []);
  const { text, dropped } = render([out]);
  assert.equal(dropped.count, 5);
  assert.equal(dropped.described[0], 'has the name of a part of the histogram a: a_sum 9');
  assert.deepEqual(
    text.split('\n').filter((line) => /^[^#]/.test(line)),
    ['a_bucket{le="+Inf"} 2', 'a_sum 1', 'a_count 2', 'b_sum 3', 'b_count 4', 'b_bucket 9'],
  );
});

test('a name that the format cannot carry gets underscores', () => {
  const out = new Samples();
  out.sample(dynamic.untyped('node_netstat_<field>', 'Statistic <field>.').of('Tcp.Ext-Ä'), 1);
  out.sample(open('any', '').of('untyped', '0day', '', []), 2);
  assert.equal(
    render([out]).text,
    '# HELP _0day \n# TYPE _0day untyped\n_0day 2\n# HELP node_netstat_Tcp_Ext__ Statistic Tcp.Ext-Ä.\n# TYPE node_netstat_Tcp_Ext__ untyped\nnode_netstat_Tcp_Ext__ 1\n',
  );
});

test('what a late collector writes after the end is dropped', () => {
  const out = new Samples();
  const family = untyped('node_x', 'X.', 'a');
  out.sample(family, 1, 'a');
  out.close();
  out.sample(family, 2, 'b');
  assert.doesNotMatch(render([out]).text, /b/);
});

test('whatever the label values, the series are sorted by the bytes of their values and none is there twice', () => {
  const pair = gauge('node_x', 'X.', 'a', 'b');
  const value = fc.string({ unit: 'binary', maxLength: 3 });
  fc.assert(
    fc.property(fc.array(fc.tuple(value, value)), (pairs) => {
      const out = new Samples();
      for (const [a, b] of pairs) out.sample(pair, 1, a, b);
      const { text, dropped } = render([out]);
      // A newline inside a value is escaped, so that every line is a series.
      const series = text.split('\n').slice(2, -1);
      assert.equal(new Set(series).size, series.length);
      assert.equal(series.length + dropped.count, pairs.length);
      const unique = [...new Set(pairs.map((p) => JSON.stringify(p)))].map((p) => JSON.parse(p) as [string, string]);
      unique.sort(
        ([a, b], [c, d]) =>
          Buffer.compare(Buffer.from(a), Buffer.from(c)) || Buffer.compare(Buffer.from(b), Buffer.from(d)),
      );
      const escaped = (v: string): string => v.replace(/[\\"]/g, '\\$&').replaceAll('\n', '\\n');
      assert.deepEqual(
        series,
        unique.map(([a, b]) => `node_x{a="${escaped(a)}",b="${escaped(b)}"} 1`),
      );
    }),
  );
});
