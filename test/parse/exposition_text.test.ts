import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { ParseError } from '../../src/core/errors.ts';
import { gauge } from '../../src/core/metric.ts';
import { parseExposition, parseExpositionInSteps } from '../../src/parse/exposition_text.ts';
import { written } from '../helpers/scrape.ts';

const one = (text: string) => {
  const families = parseExposition(text);
  assert.equal(families.length, 1);
  return families[0] as (typeof families)[0];
};

test('a sample without a TYPE line is untyped and has no help', () => {
  assert.deepEqual(one('up{a="1",b="x y"} 3\n'), {
    name: 'up',
    type: 'untyped',
    help: undefined,
    samples: [{ labels: new Map(Object.entries({ a: '1', b: 'x y' })), value: 3 }],
    compounds: [],
  });
});

for (const [why, text, value] of [
  ['blanks wherever they may be', '\t up \t{ a\t= "1" , }\t 4\n', 4],
  ['no blank behind a brace', 'up{a="1"}5\n', 5],
  ['a number with an exponent', 'up 1.5e-3\n', 0.0015],
  ['a plus sign', 'up +7\n', 7],
  ['infinity in any case', 'up -INF\n', Number.NEGATIVE_INFINITY],
  ['nan in any case', 'up nAn\n', Number.NaN],
  ['blanks without a newline at the end', 'up 1\n \t', 1],
] as const)
  test(`takes ${why}`, () => assert.deepEqual(one(text).samples[0]?.value, value));

test('HELP and label values are unescaped', () => {
  const { help, samples } = one('# HELP up a \\\\ b \\n c \\"d\\"\nup{a="\\\\n\\n\\""} 1\n');
  assert.equal(help, 'a \\ b \n c "d"');
  assert.equal(samples[0]?.labels.get('a'), '\\n\n"');
});

test('comments, empty lines, families without samples and HELP without a text are passed over', () => {
  const text =
    '# a comment\n#\n# HELPING up is no keyword\n# HELP\n# HELP up\n# TYPE up\n\n# TYPE down gauge\n#HELP up  it is\n';
  assert.deepEqual(
    parseExposition(`${text}up 1\n`).map(({ name, help }) => [name, help]),
    [['up', 'it is']],
  );
  assert.deepEqual(parseExposition(text), []);
  assert.deepEqual(parseExposition(''), []);
});

test('the type may be written in any case and may come before or after the help', () => {
  assert.equal(one('# TYPE up CounteR\n# HELP up x\nup 1\n').type, 'counter');
});

test('a summary gathers quantiles, sum and count by its other labels', () => {
  const { compounds } = one(
    '# TYPE t summary\nt{quantile="0.5",a="1"} 5\nt{a="1",quantile="0.9"} 9\nt_sum{a="1"} 50\nt_count{a="1"} 10\nt{a="2"} 7\nt_count{a="2"} 1\n',
  );
  assert.deepEqual(compounds, [
    {
      labels: new Map([['a', '1']]),
      points: new Map([
        [0.5, 5],
        [0.9, 9],
      ]),
      sum: 50,
      count: 10,
    },
    { labels: new Map([['a', '2']]), points: new Map(), sum: 0, count: 1 },
  ]);
});

test('a histogram gathers buckets, sum and count, and keeps counts with a fraction', () => {
  const { compounds } = one(
    '# TYPE t histogram\nt_bucket{le="1"} 0.5\nt_bucket{le="+Inf"} 2.5\nt_bucket{le="+Inf"} 3.5\nt_sum 8\nt_count 3.5\n',
  );
  assert.deepEqual(compounds, [
    {
      labels: new Map(),
      points: new Map([
        [1, 0.5],
        [Number.POSITIVE_INFINITY, 3.5],
      ]),
      sum: 8,
      count: 3.5,
    },
  ]);
});

test('names that end like the parts of a summary stay families of their own where there is no summary', () => {
  const names = parseExposition('t_sum 1\nt_count 2\nt_bucket{le="1"} 3\n').map(({ name }) => name);
  assert.deepEqual(names, ['t_sum', 't_count', 't_bucket']);
});

for (const [why, text, message] of [
  ['a missing newline at the end', 'up 1', /the last line has no newline/],
  ['a comment without a newline at the end', 'up 1\n# end', /the last line has no newline/],
  ['a timestamp', 'up 1\nup 2 1700000000000\n', /line 2: timestamps/],
  ['something behind the value', 'up 1 x\n', /line 1: expected a number/],
  ['a blank behind the value', 'up 1 \n', /expected a number/],
  ['a carriage return', 'up 1\r\n', /expected a number/],
  ['no value', 'up\n', /expected a number/],
  ['a word as value', 'up yes\n', /expected a number/],
  ['a hexadecimal value', 'up 0x1p4\n', /expected a number/],
  ['a value that no double holds', 'up 1e999\n', /expected a number/],
  ['underscores in a value', 'up 1_000\n', /expected a number/],
  ['a second HELP', '# HELP up a\n# HELP up a\nup 1\n', /line 2: second HELP/],
  ['a second TYPE', '# TYPE up gauge\n# TYPE up gauge\nup 1\n', /line 2: second TYPE/],
  ['a TYPE behind samples', 'up 1\n# TYPE up gauge\n', /after its samples/],
  ['an unknown type', '# TYPE up info\nup 1\n', /unknown metric type/],
  ['a gauge histogram', '# TYPE up gaugehistogram\nup_bucket{le="1"} 1\n', /unknown metric type/],
  ['a blank behind the type', '# TYPE up gauge \nup 1\n', /unknown metric type/],
  ['a bad name in a comment', '# HELP 1up x\n', /invalid metric name in comment/],
  ['a bad name', '1up 1\n', /invalid metric name/],
  ['a quoted name', '{"up.time"} 1\n', /invalid metric name/],
  ['a byte order mark', '\ufeffup 1\n', /invalid metric name/],
  ['a bad escape in HELP', '# HELP up a\\tb\nup 1\n', /invalid escape/],
  ['a backslash at the end of HELP', '# HELP up a\\\nup 1\n', /invalid escape/],
  ['a bad escape in a label', 'up{a="\\x"} 1\n', /invalid escape/],
  ['a label twice', 'up{a="1",a="1"} 1\n', /label a twice/],
  ['the label __name__', 'up{__name__="x"} 1\n', /reserved/],
  ['a bad label name', 'up{a-b="1"} 1\n', /expected a label/],
  ['a colon in a label name', 'up{a:b="1"} 1\n', /expected a label/],
  ['a label without quotes', 'up{a=1} 1\n', /expected a label/],
  ['labels that do not end', 'up{a="1"\n', /comma or a brace/],
  ['a label value that does not end', 'up{a="1} 1\n', /expected a label/],
  ['a comma alone', 'up{,} 1\n', /expected a label/],
  ['a bad quantile', '# TYPE t summary\nt{quantile="half"} 1\n', /number as quantile/],
  ['a bad bound', '# TYPE t histogram\nt_bucket{le=""} 1\n', /number as le/],
] as const)
  test(`refuses ${why}`, () =>
    assert.throws(
      () => parseExposition(text),
      (error) => error instanceof ParseError && message.test(error.message),
    ));

test('a long text is parsed in steps, with the same result', () => {
  const text = Array.from({ length: 5000 }, (_, i) => `up{n="${i}"} ${i}\n`).join('');
  const steps = parseExpositionInSteps(text);
  assert.equal(steps.next().done, false);
  assert.equal(steps.next().done, false);
  const last = steps.next();
  assert.equal(last.done, true);
  assert.deepEqual(last.value, parseExposition(text));
});

test('what the writer writes is read back', () => {
  const names = fc.stringMatching(/^[a-zA-Z_:][a-zA-Z0-9_:]{0,9}$/);
  const labelNames = fc.stringMatching(/^[a-zA-Z_][a-zA-Z0-9_]{0,9}$/).filter((name) => name !== '__name__');
  const labels = fc.dictionary(labelNames, fc.string({ unit: 'binary' }), { noNullPrototype: true });
  fc.assert(
    fc.property(
      names,
      fc.string().filter((help) => !/^[ \t]|[\r\n]|^$/.test(help)),
      labels,
      fc.double(),
      (name, help, pairs, value) => {
        const family = gauge(name, help, ...Object.keys(pairs));
        const text = written((out) => out.row(family, value, Object.values(pairs)));
        const read = one(text);
        assert.equal(read.name, name);
        assert.equal(read.help, help);
        assert.deepEqual([...(read.samples[0]?.labels ?? [])].sort(), Object.entries(pairs).sort());
        assert.equal(read.samples[0]?.value, value === 0 ? 0 : value);
      },
    ),
  );
});

test('any text is parsed or refused with a ParseError', () => {
  const piece = fc.constantFrom(
    'up',
    't_sum',
    '{',
    '}',
    'a="b"',
    '"',
    '\\',
    ',',
    '=',
    ' ',
    '1',
    'NaN',
    '\n',
    '# HELP ',
    '# TYPE ',
    't summary',
    'le',
    '\u2028',
  );
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 30 }), (pieces) => {
      try {
        parseExposition(pieces.join(''));
      } catch (error) {
        assert.ok(error instanceof ParseError, String(error));
      }
    }),
  );
});
