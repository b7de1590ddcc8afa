import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { UsageError } from '../../src/core/errors.ts';
import { firstGiven, flag, parseDuration, parseFlags } from '../../src/core/flag.ts';
import { loadPatterns } from '../../src/core/pattern.ts';

await loadPatterns();

const flags = {
  help: flag.bool('help', 'Help.', false, { short: 'h' }),
  version: flag.bool('version', 'Version.'),
  cpu: flag.bool('collector.cpu', 'CPU.', true),
  procfs: flag.text('path.procfs', 'Proc.', '/proc'),
  listen: flag.texts('web.listen-address', 'Addresses.', [':9100']),
  max: flag.int('web.max-requests', 'Requests.', 40, { env: 'MAX' }),
  timeout: flag.duration('collector.timeout', 'Time.', '5s'),
  format: flag.choice('log.format', 'Format.', ['logfmt', 'json'], 'logfmt'),
  include: flag.regexp('collector.include', 'Pattern.'),
  noise: flag.bool('no-noise', 'A name that begins like a negation.'),
} as const;
const all = Object.values(flags);
const parse = (...argv: string[]) => parseFlags(argv, all);

test('without arguments the fallbacks hold, and nothing is given', () => {
  const parsed = parse();
  assert.equal(parsed.valueOf(flags.cpu), true);
  assert.deepEqual(parsed.valueOf(flags.listen), [':9100']);
  assert.equal(parsed.valueOf(flags.max), 40);
  assert.equal(parsed.valueOf(flags.timeout), 5000);
  assert.equal(parsed.valueOf(flags.include), undefined);
  assert.ok(all.every((each) => !parsed.isGiven(each)));
});

test('values come after a blank or an equals sign', () => {
  assert.equal(parse('--path.procfs', '/a').valueOf(flags.procfs), '/a');
  assert.equal(parse('--path.procfs=/a=b').valueOf(flags.procfs), '/a=b');
  assert.equal(parse('--path.procfs=').valueOf(flags.procfs), '');
  assert.equal(parse('--path.procfs=--x').valueOf(flags.procfs), '--x');
  assert.equal(parse('--path.procfs', '--', '--x').valueOf(flags.procfs), '--x');
});

test('booleans are negated by name', () => {
  assert.equal(parse('--no-collector.cpu').valueOf(flags.cpu), false);
  assert.equal(parse('--no-noise').valueOf(flags.noise), true);
  assert.equal(parse('--no-no-noise').valueOf(flags.noise), false);
  assert.ok(parse('--no-collector.cpu').isGiven(flags.cpu));
});

test('lists repeat, and replace their fallback', () => {
  assert.deepEqual(parse('--web.listen-address=a', '--web.listen-address', 'b').valueOf(flags.listen), ['a', 'b']);
});

for (const [argv, message, hint] of [
  [['foo'], 'unexpected foo', 'try --help'],
  [['--collector.cpu=false'], 'unexpected false', 'try --help'],
  [['--no-path.procfs'], "unknown long flag '--no-path.procfs'", 'try --help'],
  [['--collector'], "unknown long flag '--collector'", 'try --help'],
  [['--Collector.cpu'], "unknown long flag '--Collector.cpu'", "did you mean '--collector.cpu'?"],
  [['--collector.cpu', '--collector.cpu'], "flag 'collector.cpu' cannot be repeated"],
  [['--collector.cpu', '--no-collector.cpu'], "flag 'collector.cpu' cannot be repeated"],
  [['--path.procfs=a', '--path.procfs=b'], "flag 'path.procfs' cannot be repeated"],
  [['--path.procfs'], "expected argument for flag '--path.procfs'", 'try --help'],
  [['--path.procfs', '--collector.cpu'], "expected argument for flag '--path.procfs'", 'try --help'],
  [['--', 'foo'], 'unexpected foo', 'try --help'],
  [['-x'], "unknown short flag '-x'", 'try --help'],
  [['-'], "unknown short flag '-'", 'try --help'],
  [['-hx'], "unknown short flag '-x'", 'try --help'],
  [['--web.max-requests=x'], '--web.max-requests: "x" is not an integer'],
  [['--web.max-requests='], '--web.max-requests: "" is not an integer'],
  [['--web.max-requests=1__0'], '--web.max-requests: "1__0" is not an integer'],
  [['--web.max-requests=_10'], '--web.max-requests: "_10" is not an integer'],
  [['--web.max-requests=10_'], '--web.max-requests: "10_" is not an integer'],
  [['--log.format=LOGFMT'], "--log.format: enum value must be one of logfmt,json, got 'LOGFMT'"],
  [['--collector.timeout=5'], '--collector.timeout: time: invalid duration "5"'],
] as readonly (readonly [argv: readonly string[], message: string, hint?: string])[])
  test(`refused: ${argv.join(' ')}`, () => {
    const options = hint === undefined ? {} : { hint };
    assert.throws(() => parse(...argv), new UsageError(message, options));
  });

test('a pattern that RE2 does not take is refused', () => {
  assert.throws(() => parse('--collector.include=(?=x)'), /^UsageError: --collector.include: error parsing regexp/);
});

test('integers may be written as floating-point numbers', () => {
  for (const [text, value] of [
    ['4e1', 40],
    ['40.9', 40],
    ['-1', -1],
    ['+7', 7],
    ['1_000', 1000],
    ['1_2.5_0e+0_1', 125],
  ] as const)
    assert.equal(parse(`--web.max-requests=${text}`).valueOf(flags.max), value);
});

test('the environment stands in for a flag that is absent', () => {
  assert.equal(parseFlags([], all, { MAX: '7' }).valueOf(flags.max), 7);
  assert.ok(parseFlags([], all, { MAX: '7' }).isGiven(flags.max));
  assert.equal(parseFlags(['--web.max-requests=8'], all, { MAX: '7' }).valueOf(flags.max), 8);
  assert.equal(parseFlags([], all, { MAX: '' }).valueOf(flags.max), 40);
});

test('what prints is found before anything that is wrong, not after', () => {
  const wanted = [flags.help, flags.version];
  assert.equal(firstGiven(['--version', '--bogus'], all, wanted), flags.version);
  assert.equal(firstGiven(['--bogus', '--version'], all, wanted), undefined);
  assert.equal(firstGiven(['--collector.cpu', '-h', '--version'], all, wanted), flags.help);
  assert.equal(firstGiven(['--no-help'], all, wanted), flags.help);
});

for (const [text, ms] of [
  ['0', 0],
  ['5s', 5000],
  ['1h15m30.918s', 4_530_918],
  ['-1.5ms', -1.5],
  ['.5s', 500],
  ['1.s', 1000],
  ['3.46608s', 3466.08],
  ['100us', 0.1],
  ['1µs', 0.001],
] as const)
  test(`parseDuration ${text}`, () => assert.ok(Math.abs(parseDuration(text) - ms) < 1e-9));

for (const text of ['', '5', 's', '5 s', '1d', '--1s', '1s2'])
  test(`parseDuration refuses ${JSON.stringify(text)}`, () => assert.throws(() => parseDuration(text), UsageError));

test('what is given is what is parsed, in whatever way and order it is written', () => {
  const value = fc.stringMatching(/^[a-z=./ -]{0,8}$/);
  const one = fc.record({ path: fc.option(value), cpu: fc.option(fc.boolean()), listen: fc.array(value) });
  fc.assert(
    fc.property(one, fc.boolean(), ({ path, cpu, listen }, reverse) => {
      const argv = [
        ...(path === null ? [] : [`--path.procfs=${path}`]),
        ...(cpu === null ? [] : [cpu ? '--collector.cpu' : '--no-collector.cpu']),
      ];
      const order = reverse ? argv.reverse() : argv;
      const parsed = parse(...order, ...listen.map((each) => `--web.listen-address=${each}`));
      assert.equal(parsed.valueOf(flags.procfs), path ?? '/proc');
      assert.equal(parsed.valueOf(flags.cpu), cpu ?? true);
      assert.deepEqual(parsed.valueOf(flags.listen), listen.length === 0 ? [':9100'] : listen);
    }),
  );
});

test('any command line is taken or refused in one line', () => {
  const piece = fc.constantFrom(
    '--',
    '-',
    'no-',
    'collector.cpu',
    'path.procfs',
    '=',
    'h',
    'x',
    '@',
    ' ',
    '--help',
    '\n',
  );
  const word = fc.array(piece, { maxLength: 5 }).map((pieces) => pieces.join(''));
  fc.assert(
    fc.property(fc.array(word, { maxLength: 6 }), (argv) => {
      try {
        parse(...argv);
      } catch (error) {
        assert.ok(error instanceof UsageError);
      }
      firstGiven(argv, all, [flags.help]);
    }),
  );
});
